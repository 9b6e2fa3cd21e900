// The keyboard: every action has a key, and `?` lists them.

import { h } from "./dom";

/** `key` as KeyboardEvent has it, `name` as it is printed. A key of a page counts on that page only. */
export interface Key { key: string; name: string; what: string; run: () => void }

export interface KeyGroup { title: string; keys: Key[]; active: () => boolean }

const groups: KeyGroup[] = [];
let dialog: HTMLDialogElement | null = null;

/** Adds keys; earlier groups win. */
export function addKeys(title: string, keys: Key[], active: () => boolean = () => true): void {
  groups.push({ title, keys, active });
}

/** Listens on the whole page; typing into a field and open dialogs are left alone. */
export function listen(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
    if (typing || document.querySelector("dialog[open]")) return;
    const pressing = event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
    const found = groups.filter((group) => group.active()).flatMap((group) => group.keys).find((key) => key.key === event.key);
    if (!found || pressing) return;
    event.preventDefault();
    found.run();
  });
}

/** Keys that a focused chart takes; see charts/chart.ts. */
const CHART: [string, string][] = [
  ["tab", "to the next chart, table or button"],
  ["← →", "move the cursor; with shift, select"],
  ["page ↑ ↓", "move it ten times as far"],
  ["home end", "to the first or last value"],
];

function rows(keys: [string, string][]): HTMLElement[] {
  return keys.map(([name, what]) =>
    h("tr", {}, h("td", {}, ...name.split(" ").map((one) => h("kbd", {}, one))), h("td", {}, what)));
}

export function showKeys(): void {
  dialog?.remove();
  const shown = groups.filter((group) => group.active()).map((group) => ({
    title: group.title, rows: rows(group.keys.map((key) => [key.name, key.what])),
  }));
  shown.push({ title: "On a chart", rows: rows(CHART) });
  dialog = h("dialog", { class: "keys", "aria-label": "Keys" },
    h("h2", {}, "Keys"),
    h("div", { class: "key-groups" }, ...shown.map((group) =>
      h("section", {}, h("h3", {}, group.title), h("table", {}, h("tbody", {}, ...group.rows))))),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}
