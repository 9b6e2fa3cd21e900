// A picture and the plain table behind it, one of which is shown; for pictures that are no line charts.

import { h, setText, show } from "../dom";
import { getView, setView } from "../state";

export interface Plain { caption: string; head: string[]; rows: string[][] }

/** A table that changes ten times a second cannot be read. */
const EVERY_MS = 1000;

export class Tabled {
  readonly element: HTMLElement;
  readonly toggle: HTMLButtonElement;
  private readonly caption = h("caption");
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private readonly table: HTMLElement;
  private drawnMs = -Infinity;
  private caption_ = "";

  /** `name` stands in the address while the table is shown; `what` is what the picture is of. */
  constructor(private readonly name: string, what: string, private readonly picture: HTMLElement) {
    this.table = h("div", { class: "table", tabindex: 0, role: "region", "aria-label": `${what}, as a table` },
      h("table", {}, this.caption, h("thead", {}, this.head), this.body));
    this.toggle = h("button", { type: "button", class: "quiet", title: `Show ${what} as a table`, click: () => this.turn() }, "Table");
    this.element = h("div", { class: "chart-box" }, picture, this.table);
  }

  /** Shows what is wanted; `rows` is only asked for when the table is. */
  draw(rows: () => Plain): boolean {
    const tabled = getView().tables.includes(this.name);
    this.toggle.setAttribute("aria-pressed", String(tabled));
    show(this.picture, !tabled);
    show(this.table, tabled);
    if (tabled) this.fill(rows);
    return tabled;
  }

  private fill(rows: () => Plain): void {
    if (performance.now() - this.drawnMs < EVERY_MS) return;
    const plain = rows();
    this.drawnMs = plain.caption === this.caption_ ? performance.now() : -Infinity;
    this.caption_ = plain.caption;
    setText(this.caption, plain.caption);
    const isNumber = (column: number) => plain.rows.every((row) => /^$|^[–\d≤]/.test(row[column] ?? ""));
    const numbers = plain.head.map((_, column) => column > 0 && isNumber(column));
    this.head.replaceChildren(...plain.head.map((name, column) =>
      h("th", { scope: "col", class: numbers[column] ? "number" : "" }, name)));
    this.body.replaceChildren(...plain.rows.map((row) => h("tr", {},
      ...row.map((text, column) => h(column ? "td" : "th", { scope: column ? null : "row", class: numbers[column] ? "number" : "" }, text)))));
  }

  private turn(): void {
    const others = getView().tables.filter((name) => name !== this.name);
    const tabled = others.length < getView().tables.length;
    this.drawnMs = -Infinity;
    setView({ tables: tabled ? others : [...others, this.name] });
  }
}
