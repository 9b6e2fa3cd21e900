// The keyboard: every action has a key, and `?` lists them.

import { h } from "./dom";

export interface Key { key: string; name: string; what: string; run: () => void }

let dialog: HTMLDialogElement | null = null;

/** Listens on the whole page; typing into a field and open dialogs are left alone. */
export function listen(keys: Key[]): void {
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const pressing = event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter");
    const found = keys.find((key) => key.key === event.key);
    if (!found || pressing) return;
    event.preventDefault();
    found.run();
  });
}

export function showKeys(keys: Key[]): void {
  dialog?.remove();
  const rows = keys.map((key) => h("tr", {}, h("td", {}, h("kbd", {}, key.name)), h("td", {}, key.what)));
  dialog = h("dialog", { class: "keys", "aria-label": "Keys" },
    h("h2", {}, "Keys"), h("table", {}, h("tbody", {}, ...rows)),
    h("p", { class: "hint" }, "Drag over a chart to look at a span; 0 goes back to live."),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}
