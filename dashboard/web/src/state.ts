// What is looked at: page, session, span of time, order of tables. All of it stands in the address's
// hash, so that an address can be kept and passed on. Knows nothing of what the server sends.

import type { Page, Range } from "./types";

export const PAGES: Page[] = ["overview", "cpu", "gil", "targets"];
/** Spans to follow, s; 0 is the whole session. */
export const SPANS = [30, 120, 600, 3600, 0];
const SPAN_DEFAULT = 120;

export interface View {
  page: Page;
  session: number | null;
  /** Follow the newest so many seconds; 0 is all. Ignored while `range` is set. */
  last_s: number;
  /** A fixed span: paused or zoomed. */
  range: Range | null;
  /** Table name to column, with "-" in front for descending. */
  sorts: Record<string, string>;
}

function parse(hash: string): View {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const given = new URLSearchParams(query ?? "");
  const number = (name: string) => {
    const value = Number(given.get(name) ?? NaN);
    return Number.isSafeInteger(value) && value >= 0 ? value : null;
  };
  const [start_ns, end_ns, last] = [number("from"), number("to"), number("last")];
  const sorts: Record<string, string> = {};
  given.forEach((value, key) => {
    if (key.startsWith("sort.") && /^-?\w+$/.test(value)) sorts[key.slice(5)] = value;
  });
  return {
    page: PAGES.find((page) => page === path) ?? "overview",
    session: number("s"),
    last_s: last !== null && last <= 1e6 ? last : SPAN_DEFAULT,
    range: start_ns !== null && end_ns !== null && start_ns < end_ns ? { start_ns, end_ns } : null,
    sorts,
  };
}

function write(view: View): string {
  const query = new URLSearchParams();
  if (view.session !== null) query.set("s", String(view.session));
  if (view.range) {
    query.set("from", String(view.range.start_ns));
    query.set("to", String(view.range.end_ns));
  }
  if (view.last_s !== SPAN_DEFAULT) query.set("last", String(view.last_s));
  for (const [table, sort] of Object.entries(view.sorts)) query.set(`sort.${table}`, sort);
  const text = query.toString();
  return `#/${view.page}${text ? `?${text}` : ""}`;
}

let view = parse(location.hash);
const listeners = new Set<(view: View, before: View) => void>();

export function getView(): View {
  return view;
}

/** Calls back after each change of the view. */
export function onView(listener: (view: View, before: View) => void): void {
  listeners.add(listener);
}

function replace(next: View): void {
  const before = view;
  view = next;
  listeners.forEach((listener) => listener(view, before));
}

/** Changes the view and the address. Another page or session is a step to go back from. */
export function setView(change: Partial<View>): void {
  const next = { ...view, ...change };
  const hash = write(next);
  const step = next.page !== view.page || next.session !== view.session;
  if (hash !== location.hash) history[step ? "pushState" : "replaceState"](null, "", hash);
  replace(next);
}

addEventListener("popstate", () => replace(parse(location.hash)));
addEventListener("hashchange", () => {
  if (location.hash !== write(view)) replace(parse(location.hash));
});
