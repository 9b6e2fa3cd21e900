// A treemap: the area of each tile is its size. Laid out as on paper (dashboard/src/plot/frames_by_module.rs).

import { h, show } from "../dom";

export interface Tile { name: string; size: number; text: string }

interface Box { left: number; top: number; width: number; height: number }

/** Tiles of their own; the rest is one. */
const MOST = 40;
const SHADES = ["#f3c9b5", "#f6dcae", "#cfe3f1", "#dfe9b4", "#dfe3e8"];

export class Treemap {
  readonly element: HTMLElement;
  private readonly field = h("div", { class: "treemap", role: "img" });
  private readonly empty: HTMLElement;
  private shown = "";

  constructor(emptyText: string) {
    this.empty = h("p", { class: "empty-line" }, emptyText);
    this.element = h("div", {}, this.field, this.empty);
  }

  /** Draws anew only if something changed. */
  draw(tiles: Tile[]): void {
    const sorted = cut(tiles.filter((tile) => tile.size > 0).sort((a, b) => b.size - a.size));
    show(this.field, sorted.length > 0);
    show(this.empty, sorted.length === 0);
    const state = JSON.stringify(sorted);
    if (state === this.shown) return;
    this.shown = state;
    this.field.setAttribute("aria-label", `Memory by module: ${sorted.slice(0, 5).map((tile) => `${tile.name} ${tile.text}`).join(", ")}`);
    const placed: [Tile, Box][] = [];
    if (sorted.length > 0) split(sorted, { left: 0, top: 0, width: 100, height: 100 }, placed);
    this.field.replaceChildren(...placed.map(([tile, box], index) => {
      const element = h("div", { title: `${tile.name}: ${tile.text}` }, tile.name, h("small", {}, tile.text));
      Object.assign(element.style, {
        left: `${box.left}%`, top: `${box.top}%`, width: `${box.width}%`, height: `${box.height}%`, background: SHADES[index % SHADES.length],
      });
      return element;
    }));
  }
}

function cut(tiles: Tile[]): Tile[] {
  if (tiles.length <= MOST) return tiles;
  const rest = tiles.slice(MOST);
  const more = { name: `${rest.length} more modules`, size: rest.reduce((sum, tile) => sum + tile.size, 0), text: "together" };
  return [...tiles.slice(0, MOST), more].sort((a, b) => b.size - a.size);
}

/** Halves the tiles by size along the longer side until each has its box; the field is about four times as wide as high. */
function split(tiles: Tile[], box: Box, placed: [Tile, Box][]): void {
  if (tiles.length === 1) {
    placed.push([tiles[0], box]);
    return;
  }
  const size = (some: Tile[]) => some.reduce((sum, tile) => sum + tile.size, 0);
  const whole = size(tiles);
  let at = 1;
  while (at < tiles.length - 1 && size(tiles.slice(0, at)) * 2 < whole) at += 1;
  const share = size(tiles.slice(0, at)) / whole;
  const { left, top, width, height } = box;
  const wide = width * 4 >= height;
  split(tiles.slice(0, at), wide ? { ...box, width: width * share } : { ...box, height: height * share }, placed);
  split(tiles.slice(at), wide
    ? { ...box, left: left + width * share, width: width * (1 - share) }
    : { ...box, top: top + height * share, height: height * (1 - share) }, placed);
}
