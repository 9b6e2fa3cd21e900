// The moment that is pointed at: one for all charts of a page, whatever they are drawn with.

let at_s: number | null = null;
const listeners = new Set<(at_s: number | null, by: unknown) => void>();

/** Unix seconds, or null while nothing is pointed at. */
export function cursor(): number | null {
  return at_s;
}

/** Points at a moment; `by` tells a listener that it was itself. */
export function setCursor(next_s: number | null, by: unknown): void {
  if (next_s === at_s) return;
  at_s = next_s;
  listeners.forEach((listener) => listener(at_s, by));
}

/** Calls back whenever another moment is pointed at. */
export function onCursor(listener: (at_s: number | null, by: unknown) => void): void {
  listeners.add(listener);
}
