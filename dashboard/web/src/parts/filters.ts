// Which threads and which code the GIL page shows: three fields, kept in the address.

import { h, setText, show } from "../dom";
import { getView, setFilter } from "../state";
import type { BlameRow, HandoffRow, ThreadRow } from "../types";

export const FIELDS = ["thread", "function", "module"] as const;
type Field = (typeof FIELDS)[number];

const HINTS: Record<Field, string> = {
  thread: "name", function: "name", module: "file or C module",
};

export class Filters {
  readonly element: HTMLElement;
  private readonly inputs: Record<Field, HTMLInputElement>;
  private readonly clear = h("button", { type: "button", class: "quiet", click: () => FIELDS.forEach((field) => setFilter(field, "")) }, "Clear");
  private readonly note = h("span", { class: "hint", role: "status" });

  constructor() {
    const input = (field: Field) => h("input", {
      type: "search", placeholder: HINTS[field], size: 18, spellcheck: "false", autocomplete: "off",
      input: (event: Event) => setFilter(field, (event.target as HTMLInputElement).value),
      keydown: (event: KeyboardEvent) => event.key === "Escape" && (event.target as HTMLInputElement).blur(),
    });
    this.inputs = { thread: input("thread"), function: input("function"), module: input("module") };
    this.element = h("div", { class: "filters", role: "search", "aria-label": "Filter lanes and blame" },
      ...FIELDS.map((field) => h("label", {}, field, this.inputs[field])), this.clear, this.note);
  }

  draw(shown: number, all: number): void {
    for (const field of FIELDS) {
      const value = getView().filters[field] ?? "";
      if (this.inputs[field].value !== value) this.inputs[field].value = value;
    }
    show(this.clear, isFiltered());
    setText(this.note, isFiltered() ? `${shown} of ${all} threads` : "");
  }
}

export function isFiltered(): boolean {
  return FIELDS.some((field) => getView().filters[field]);
}

function has(text: string | null | undefined, field: Field): boolean {
  const wanted = getView().filters[field]?.toLowerCase();
  return !wanted || Boolean(text?.toLowerCase().includes(wanted));
}

/** Whether code passes; without a filter on code everything does. */
export function codePasses(functionName: string | null, module: string | null): boolean {
  return has(functionName, "function") && has(module, "module");
}

/** Whether what was blamed passes the filters on code. */
function blamedCodePasses(row: BlameRow): boolean {
  return codePasses(row.function, row.file) || codePasses(row.function, row.native_module);
}

export function blamePasses(row: BlameRow): boolean {
  return has(row.thread_name, "thread") && blamedCodePasses(row);
}

/** Threads by name; with a filter on code, those that held the GIL in it and those that took it from them. */
export function filterThreads(threads: ThreadRow[], blame: BlameRow[], handoffs: HandoffRow[]): ThreadRow[] {
  const { filters } = getView();
  const named = threads.filter((row) => has(row.name, "thread"));
  if (!filters.function && !filters.module) return named;
  const holders = new Set(blame.filter(blamedCodePasses).map((row) => row.thread));
  const takers = new Set(handoffs.filter((row) => holders.has(row.from)).map((row) => row.to));
  return named.filter((row) => holders.has(row.key) || takers.has(row.key));
}
