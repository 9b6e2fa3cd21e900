// Marks: the chips below a chart, and the little form that names a new one.

import { addMark, removeMark } from "../api";
import { unixSeconds } from "../charts/series";
import { h } from "../dom";
import { clock } from "../format";
import type { Session } from "../types";
import { attempt, toast } from "./toast";

const NAME_MAX = 80;

/** Chips with a button that takes the mark away. */
export class MarkList {
  readonly element = h("div", { class: "marks", role: "list", "aria-label": "Marks" });
  private shown = "";

  draw(session: Session): void {
    const state = JSON.stringify([session.id, session.marks]);
    if (state === this.shown) return;
    this.shown = state;
    const chips = session.marks.map((mark) => {
      const at = clock(unixSeconds(session, mark.at_ns), true);
      return h("span", { class: "chip", role: "listitem", title: `Mark at ${at}` },
        h("span", { class: "chip-time" }, at), h("span", { class: "chip-name" }, mark.name),
        h("button", {
          type: "button", "aria-label": `Remove mark ${mark.name}`, title: "Remove",
          click: () => void attempt(() => removeMark(session.id, mark.id)),
        }, "×"));
    });
    const hint = h("span", { class: "hint" }, "No marks yet. Press m at a moment worth finding again.");
    this.element.replaceChildren(...(chips.length ? chips : [hint]));
  }
}

/** Asks for a name; the moment is the one at which it was opened. */
export function askForMark(session: Session, at_ns: number): void {
  const number = session.marks.reduce((most, mark) => Math.max(most, mark.id), 0) + 1;
  const input = h("input", { name: "name", maxlength: NAME_MAX, required: true, value: `mark ${number}`, autocomplete: "off" });
  const at = clock(unixSeconds(session, at_ns), true);
  const form = h("form", { method: "dialog" },
    h("label", {}, `Mark at ${at}`, input),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Add mark")));
  const dialog = h("dialog", { class: "ask" }, form);
  form.addEventListener("submit", () => {
    const name = input.value.trim();
    if (name) void attempt(() => addMark(session.id, name, Math.round(at_ns)));
    else toast("a mark needs a name", true);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}
