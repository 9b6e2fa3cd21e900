// A picture and the plain table behind it, one of which is shown; the button between them.

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
  private filled_ms = -Infinity;
  private about = "";
  private timer = 0;

  /** `name` stands in the address while the table is shown; `what` is what the picture is of. */
  constructor(private readonly name: string, what: string, private readonly picture: HTMLElement) {
    this.table = h("div", { class: "table", tabindex: 0, role: "region", "aria-label": `${what}, as a table` },
      h("table", {}, this.caption, h("thead", {}, this.head), this.body));
    this.toggle = h("button", { type: "button", class: "quiet", title: `Show ${what} as a table`, click: () => this.turn() }, "Table");
    this.element = h("div", { class: "chart-box" }, picture, this.table);
  }

  /** Shows what is wanted and says whether that is the table. `rows` is only asked for when it is: at
   *  once if it is `about` something else than before, and never so often that nobody could read it. */
  draw(about: string, rows: () => Plain): boolean {
    const tabled = getView().tables.includes(this.name);
    this.toggle.setAttribute("aria-pressed", String(tabled));
    show(this.picture, !tabled);
    show(this.table, tabled);
    clearTimeout(this.timer);
    if (!tabled) {
      this.about = "";
      return false;
    }
    const rest_ms = about === this.about ? this.filled_ms + EVERY_MS - performance.now() : 0;
    this.about = about;
    if (rest_ms <= 0) this.fill(rows());
    else this.timer = window.setTimeout(() => this.fill(rows()), rest_ms);
    return true;
  }

  private fill({ caption, head, rows }: Plain): void {
    this.filled_ms = performance.now();
    setText(this.caption, caption);
    const numbers = head.map((_, column) => column > 0 && rows.every((row) => /^$|^[–\d≤]/.test(row[column] ?? "")));
    const align = (column: number) => (numbers[column] ? "number" : "");
    this.head.replaceChildren(...head.map((name, column) => h("th", { scope: "col", class: align(column) }, name)));
    this.body.replaceChildren(...rows.map((row) => h("tr", {},
      ...row.map((text, column) => h(column ? "td" : "th", { scope: column ? null : "row", class: align(column) }, text)))));
  }

  private turn(): void {
    const { tables } = getView();
    const others = tables.filter((name) => name !== this.name);
    setView({ tables: others.length < tables.length ? others : [...others, this.name] });
  }
}
