// The view as the text of an address, and back. Pure: knows no browser.

import type { Page, Pin, Range } from "./types";

export const PAGES: Page[] = ["overview", "cpu", "gil", "states", "frames", "imports", "targets", "experiments"];
/** Spans to follow, s; 0 is the whole session. */
export const SPANS = [30, 120, 600, 3600, 0];
export const SPAN_DEFAULT = 120;

/** What is looked at. All of it stands in the address's hash, so that an address can be kept and passed on. */
export interface View {
  page: Page;
  session: number | null;
  /** Follow the newest so many seconds; 0 is all. Ignored while `range` is set. */
  last_s: number;
  /** A fixed span: paused or zoomed. Null: live. */
  range: Range | null;
  /** The span that tables are about; null: the span that charts show. */
  select: Range | null;
  /** A span to compare with. */
  pin: Pin | null;
  unit: "cores" | "percent";
  /** Whether each band of CPU is shown in its parts. */
  split: boolean;
  /** Names of charts that are shown as tables. */
  tables: string[];
  /** Table name to column, with "-" in front for descending. */
  sorts: Record<string, string>;
  /** Whatever else a page narrows its data by: name to text. */
  filters: Record<string, string>;
}

function whole(text: string | null | undefined): number | null {
  const value = text && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : null;
}

function range(start: number | null, end: number | null): Range | null {
  return start !== null && end !== null && start < end ? { start_ns: start, end_ns: end } : null;
}

/** Whatever makes no sense in it is passed over. */
export function parse(hash: string): View {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const given = new URLSearchParams(query ?? "");
  const numbers = (name: string) => (given.get(name) ?? "").split("-").map(whole);
  const last = whole(given.get("last"));
  const [session, ...pinned] = numbers("pin");
  const pin = range(pinned[0], pinned[1]);
  const sorts: Record<string, string> = {};
  const filters: Record<string, string> = {};
  given.forEach((value, key) => {
    if (key.startsWith("sort.") && /^-?\w+$/.test(value)) sorts[key.slice(5)] = value;
    if (key.startsWith("f.") && value) filters[key.slice(2)] = value;
  });
  return {
    page: PAGES.find((page) => page === path) ?? "overview",
    session: whole(given.get("s")),
    last_s: last !== null && last <= 1e6 ? last : SPAN_DEFAULT,
    range: range(whole(given.get("from")), whole(given.get("to"))),
    select: range(numbers("sel")[0], numbers("sel")[1]),
    pin: pin && session !== null ? { session, ...pin } : null,
    unit: given.get("unit") === "percent" ? "percent" : "cores",
    split: given.get("split") === "1",
    tables: (given.get("tables") ?? "").split(",").filter((name) => /^[\w-]+$/.test(name)),
    sorts,
    filters,
  };
}

/** The shortest address that `parse` gives `view` back for. */
export function write(view: View): string {
  const query = new URLSearchParams();
  const set = (name: string, value: string | number | null) => value !== null && query.set(name, String(value));
  const span = (range: Range | null) => range && `${range.start_ns}-${range.end_ns}`;
  set("s", view.session);
  set("from", view.range && view.range.start_ns);
  set("to", view.range && view.range.end_ns);
  set("last", view.last_s === SPAN_DEFAULT ? null : view.last_s);
  set("sel", span(view.select));
  set("pin", view.pin && `${view.pin.session}-${span(view.pin)}`);
  set("unit", view.unit === "cores" ? null : view.unit);
  set("split", view.split ? 1 : null);
  set("tables", view.tables.join(",") || null);
  for (const [table, sort] of Object.entries(view.sorts)) set(`sort.${table}`, sort);
  for (const [name, text] of Object.entries(view.filters)) set(`f.${name}`, text || null);
  const text = query.toString();
  return `#/${view.page}${text ? `?${text}` : ""}`;
}
