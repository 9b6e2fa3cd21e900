// Marks: the chips below a chart, and the little form that names one.

import { addMark, removeMark, renameMark } from "../api";
import { unixSeconds } from "../charts/series";
import { h } from "../dom";
import { clock } from "../format";
import { showMark } from "../span";
import type { Mark, Session } from "../types";
import { attempt, toast } from "./toast";

const NAME_MAX = 80;

/** Chips that lead to the mark, with buttons that name it anew and take it away. */
export class MarkList {
  readonly element = h("div", { class: "marks", role: "list", "aria-label": "Marks" });
  private shown = "";

  draw(session: Session): void {
    const state = JSON.stringify([session.id, session.marks]);
    if (state === this.shown) return;
    this.shown = state;
    const hint = h("span", { class: "hint", role: "listitem" }, "No marks yet. Press m at a moment worth finding again.");
    const chips = session.marks.map((mark) => chip(session, mark));
    this.element.replaceChildren(...(chips.length ? chips : [hint]));
  }
}

function chip(session: Session, mark: Mark): HTMLElement {
  const at = clock(unixSeconds(session, mark.at_ns), true);
  return h("span", { class: "chip", role: "listitem" },
    h("button", { type: "button", class: "chip-go", title: `Go to ${mark.name} ([ and ])`, click: () => showMark(session, mark) },
      h("span", { class: "chip-time" }, at), " ", h("span", { class: "chip-name" }, mark.name)),
    h("button", {
      type: "button", class: "chip-tool", "aria-label": `Rename mark ${mark.name}`, title: "Rename",
      click: () => ask(`Rename the mark at ${at}`, mark.name, "Rename", (name) => renameMark(session.id, mark.id, name)),
    }, "✎"),
    h("button", {
      type: "button", class: "chip-tool", "aria-label": `Remove mark ${mark.name}`, title: "Remove",
      click: () => void attempt(() => removeMark(session.id, mark.id)),
    }, "×"));
}

/** Asks for a name; the moment is the one at which it was opened. */
export function askForMark(session: Session, at_ns: number): void {
  const number = session.marks.reduce((most, mark) => Math.max(most, mark.id), 0) + 1;
  const at = clock(unixSeconds(session, at_ns), true);
  ask(`Mark at ${at}`, `mark ${number}`, "Add mark", (name) => addMark(session.id, name, Math.max(0, Math.round(at_ns))));
}

function ask(title: string, value: string, verb: string, done: (name: string) => Promise<unknown>): void {
  const input = h("input", { name: "name", maxlength: NAME_MAX, required: true, value, autocomplete: "off" });
  const form = h("form", { method: "dialog" },
    h("label", {}, title, input),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, verb)));
  const dialog = h("dialog", { class: "ask", "aria-label": title }, form);
  form.addEventListener("submit", () => {
    const name = input.value.trim();
    if (name) void attempt(() => done(name));
    else toast("a mark needs a name", true);
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}
