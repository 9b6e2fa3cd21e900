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

/** What a key does while something has the focus: its name as printed, and words. */
type Hint = [name: string, what: string];

const hints: { title: string; rows: Hint[]; active: () => boolean }[] = [];

/** Adds keys to the list that something takes by itself while it has the focus. */
export function explainKeys(title: string, rows: Hint[], active: () => boolean = () => true): void {
  hints.push({ title, rows, active });
}

function rows(keys: Hint[]): HTMLElement[] {
  return keys.map(([name, what]) =>
    h("tr", {}, h("td", {}, ...name.split(" ").map((one) => h("kbd", {}, one))), h("td", {}, what)));
}

export function showKeys(): void {
  dialog?.remove();
  const ofPage = groups.filter((group) => group.active()).map(({ title, keys }) => ({ title, rows: keys.map((key): Hint => [key.name, key.what]) }));
  const shown = [...ofPage, ...hints.filter((hint) => hint.active())];
  dialog = h("dialog", { class: "keys", "aria-label": "Keys" },
    h("h2", {}, "Keys"),
    h("div", { class: "key-groups" }, ...shown.map((group) =>
      h("section", {}, h("h3", {}, group.title), h("table", {}, h("tbody", {}, ...rows(group.rows)))))),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}
