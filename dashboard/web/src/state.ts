// The one store of what is looked at. It and the address's hash are always the same.
// Knows nothing of what the server sends.

import { parse, write, type View } from "./address";

export { PAGES, SPANS, type View } from "./address";

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

/** Changes the view and the address. Another page or session is a step to go back from, and whatever
 *  the caller says is one. */
export function setView(change: Partial<View>, step = false): void {
  const next = { ...view, ...change };
  const hash = write(next);
  const back = step || next.page !== view.page || next.session !== view.session;
  if (hash !== location.hash) history[back ? "pushState" : "replaceState"](null, "", hash);
  replace(next);
}

/** Sets or, with an empty text, takes away one of a page's own filters. */
export function setFilter(name: string, text: string): void {
  const { [name]: _, ...others } = view.filters;
  setView({ filters: text ? { ...others, [name]: text } : others });
}

addEventListener("popstate", () => replace(parse(location.hash)));
addEventListener("hashchange", () => {
  if (location.hash !== write(view)) replace(parse(location.hash));
});
