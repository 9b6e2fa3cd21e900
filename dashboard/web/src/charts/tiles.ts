// Colours and patterns as pixels, for pictures that are made pixel by pixel. Kept until the theme changes.

import { hatched, onTheme } from "../theme";
import type { Tile } from "./strata";

const tiles = new Map<string, Tile>();
onTheme(() => tiles.clear());

/** One colour, however CSS writes it. */
export function plainTile(css: string): Tile {
  return kept(css, () => {
    const dot = document.createElement("canvas");
    dot.width = dot.height = 1;
    const ctx = dot.getContext("2d")!;
    ctx.fillStyle = css;
    ctx.fillRect(0, 0, 1, 1);
    return dot;
  });
}

/** A colour as slanted lines or dots on a pale ground of it. */
export function hatchTile(base: string, kind: "lines" | "dots"): Tile {
  return kept(`${kind} ${base} ${devicePixelRatio}`, () => hatched(base, kind));
}

function kept(name: string, paint: () => HTMLCanvasElement): Tile {
  let tile = tiles.get(name);
  if (!tile) {
    const canvas = paint();
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    tile = { size: canvas.width, words: new Int32Array(data.buffer) };
    tiles.set(name, tile);
  }
  return tile;
}
