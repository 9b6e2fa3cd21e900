// A titled box, and the buttons that give what it shows as a file.

import { exportUrl } from "../api";
import { h } from "../dom";
import type { Range } from "../types";
import { attempt } from "./toast";

export interface Panel {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  readonly note: HTMLElement;
}

/** `tools` stand at the right end of the title. */
export function panel(title: string, tools: Node[] = []): Panel {
  const body = h("div", { class: "panel-body" });
  const note = h("span", { class: "panel-note" });
  const element = h("section", { class: "panel" },
    h("header", {}, h("h2", {}, title), note, h("span", { class: "tools" }, ...tools)), body);
  return { element, body, note };
}

/** A button that stays down; who draws sets aria-pressed. */
export function toggle(label: string, title: string, click: () => void): HTMLButtonElement {
  return h("button", { type: "button", class: "quiet", "aria-pressed": "false", title, click }, label);
}

/** Buttons for a plot as SVG, PNG and CSV of the span in view. */
export function exportButtons(
  plot: string | (() => string), what: string, where: () => { session: number; range: Range },
): Node[] {
  return ["svg", "png", "csv"].map((kind) =>
    h("button", {
      type: "button", class: "quiet file", title: `Save ${what} as ${kind.toUpperCase()}`,
      click: () => {
        const { session, range } = where();
        const file = `${typeof plot === "string" ? plot : plot()}.${kind}`;
        void attempt(() => save(exportUrl(session, file, range), file));
      },
    }, kind.toUpperCase()));
}

/** Fetches first, so that a refusal is a message and not a file with one in it. */
export async function save(url: string, fallbackName: string): Promise<void> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? `status ${answer.status}`);
  const named = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "");
  const blob = URL.createObjectURL(await answer.blob());
  h("a", { href: blob, download: named?.[1] ?? fallbackName }).click();
  setTimeout(() => URL.revokeObjectURL(blob), 60_000);
}
