// A flame graph of a tree of weights: each box as wide as its weight, in it what it is made of.
// Boxes are buttons: the one that is clicked, or entered with Enter, fills the width.

import { h, setText, show } from "../dom";
import { percent } from "../format";
import { boxes, find, type Box, type Node } from "./flametree";

const ROW = 26;
/** A box to click on is at least so wide; narrower ones are only seen, and stand in the table below. */
const TARGET_PX = 24;
/** Narrower boxes are left out: there is room for nothing in them. */
const NARROWEST = 0.002;

/** What a graph says of itself. */
export interface FlameTexts {
  label: string;
  /** Of the box of all. */
  all: (root: Node) => string;
  /** A box's figures; its share of the whole stands before `more`. */
  figure: (node: Node) => string;
  more: (node: Node) => string;
  /** Where there is nothing to draw. */
  nothing: () => string;
  /** What is drawn. */
  hint: (root: Node) => string;
}

export class Flame {
  readonly element: HTMLElement;
  private readonly graph: HTMLElement;
  private readonly note = h("p", { class: "hint" });
  private path: string[] = [];
  private root: Node | null = null;
  private shown = "";

  constructor(private readonly texts: FlameTexts) {
    this.graph = h("div", { class: "flame", role: "group", "aria-label": texts.label });
    this.element = h("div", {}, this.graph, this.note);
    this.graph.addEventListener("keydown", (event) => this.key(event));
  }

  draw(root: Node): void {
    this.root = root;
    this.paint();
  }

  private paint(): void {
    const root = this.root!;
    show(this.graph, root.weight > 0);
    const node = find(root, this.path);
    const placed = boxes(node, NARROWEST);
    const state = this.graph.clientWidth + JSON.stringify(placed.map((box) => [box.node.path, box.left, box.width, box.node.weight, box.node.full]));
    if (state === this.shown) return;
    this.shown = state;
    const above = this.ancestors(node);
    const focused = document.activeElement instanceof HTMLElement && this.graph.contains(document.activeElement)
      ? document.activeElement.dataset.path : undefined;
    const rows = Math.max(0, ...placed.map((box) => box.depth)) + 1 + above.length;
    this.graph.style.height = `${rows * ROW}px`;
    this.graph.replaceChildren(
      ...above.map((each, depth) => this.box({ node: each, depth, left: 0, width: 1 }, true)),
      ...placed.map((box) => this.box({ ...box, depth: box.depth + above.length }, false)));
    const again = [...this.graph.children].find((child) => (child as HTMLElement).dataset.path === focused);
    if (focused !== undefined && again instanceof HTMLElement) again.focus();
    setText(this.note, root.weight <= 0 ? this.texts.nothing()
      : `${this.texts.hint(root)} Widest first; a click looks at one box${this.path.length ? ", one above goes back" : ""}.`);
  }

  private ancestors(node: Node): Node[] {
    return node.path.map((_, depth) => find(this.root!, node.path.slice(0, depth)));
  }

  private box({ node, depth, left, width }: Box, above: boolean): HTMLElement {
    const share = percent(node.weight / Math.max(1, this.root!.weight));
    const words = `${node.full}: ${this.texts.figure(node)}, ${share}${this.texts.more(node)}`;
    const name = node.path.length ? node.name : this.texts.all(node);
    const look = { class: `flame-box level-${Math.min(4, node.path.length)}${above ? " above" : ""}`, title: words };
    const element = width * this.graph.clientWidth < TARGET_PX ? h("span", look) : h("button", {
      ...look, type: "button", "aria-label": `${name}: ${words}`, "data-path": JSON.stringify(node.path),
      click: () => { this.path = node.path; this.paint(); },
    }, name);
    // Through the object model, since the page's policy allows no style attributes.
    Object.assign(element.style, { left: `${left * 100}%`, width: `${width * 100}%`, top: `${depth * ROW}px` });
    return element;
  }

  /** Arrow keys go to the nearest box on that side. */
  private key(event: KeyboardEvent): void {
    const from = event.target;
    const side = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!side || !(from instanceof HTMLElement)) return;
    event.preventDefault();
    event.stopPropagation();
    const here = from.getBoundingClientRect();
    const boxes = [...this.graph.children].filter((child): child is HTMLElement => child instanceof HTMLButtonElement && child !== from);
    const away = (child: HTMLElement) => {
      const there = child.getBoundingClientRect();
      const [x, y] = [there.left - here.left, there.top - here.top];
      const along = side[0] * x + side[1] * y;
      const across = Math.abs(side[0] ? y : Math.max(0, there.left - here.left, here.left - there.right));
      return along > 0.5 && (side[1] || across < 1) ? along + across : Infinity;
    };
    const next = boxes.reduce((best, child) => (away(child) < away(best) ? child : best), boxes[0]);
    if (next && away(next) < Infinity) next.focus();
  }
}
