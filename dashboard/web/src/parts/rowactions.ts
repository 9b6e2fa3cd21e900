// Buttons in a table's row, made anew only when what they do changes, and deaf while they do it.

import { h } from "../dom";
import { attempt } from "./toast";

export interface RowAction {
  label: string;
  title: string;
  /** What the button says meanwhile. */
  busy: string;
  run: () => Promise<unknown> | void;
  primary?: boolean;
}

/** `of` names the row and its state: buttons of the same row and labels stay as they are. */
export function rowActions(cell: HTMLTableCellElement, of: string, actions: RowAction[]): void {
  const wanted = JSON.stringify([of, actions.map((action) => action.label)]);
  if (cell.dataset.actions === wanted) return;
  cell.dataset.actions = wanted;
  cell.replaceChildren(h("span", { class: "row-actions" }, ...actions.map(button)));
}

function button(action: RowAction): HTMLButtonElement {
  const element: HTMLButtonElement = h("button", {
    type: "button", class: action.primary ? "primary" : "quiet", title: action.title, click: () => void act(),
  }, action.label);
  const act = async () => {
    element.disabled = true;
    element.textContent = action.busy;
    await attempt(async () => action.run());
    element.disabled = false;
    element.textContent = action.label;
  };
  return element;
}
