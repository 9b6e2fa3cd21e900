// One line about the selection and the pinned span, with what can be done with them.

import { unixSeconds } from "../charts/series";
import type { Context } from "../context";
import { h, setText, show } from "../dom";
import { clock, duration } from "../format";
import { pin, unselect, zoomToSelection } from "../span";
import { setView } from "../state";
import type { Range, Session } from "../types";

export class SpanBar {
  readonly element = h("div", { class: "span-bar", role: "group", "aria-label": "Selection" });
  private readonly selection = h("span", { class: "span-text selected" });
  private readonly pinned = h("span", { class: "span-text pinned" });
  private readonly selecting: HTMLElement;
  private readonly pinning: HTMLElement;
  private session: Session | null = null;

  constructor() {
    const button = (label: string, title: string, click: () => void) =>
      h("button", { type: "button", class: "quiet", title, click }, label);
    this.selecting = h("span", { class: "span-group" }, this.selection,
      button("Zoom", "Look at the selection only (z)", zoomToSelection),
      button("Pin", "Keep it to compare with (p)", () => this.session && pin(this.session)),
      button("Drop", "Drop the selection (esc)", unselect));
    this.pinning = h("span", { class: "span-group" }, this.pinned,
      button("Unpin", "Let go of the pinned span", () => setView({ pin: null })));
    this.element.append(this.pinning, this.selecting);
  }

  draw({ session, sessions, view }: Context): void {
    this.session = session;
    show(this.selecting, view.select !== null);
    show(this.pinning, view.pin !== null);
    this.element.classList.toggle("used", Boolean(view.select || view.pin));
    if (view.select) setText(this.selection, `Selected ${spanText(session, view.select)}`);
    if (!view.pin) return;
    const of = sessions.find((other) => other.id === view.pin!.session);
    const where = of && of.id !== session.id ? ` of process ${of.target.pid}` : "";
    setText(this.pinned, `Pinned ${of ? spanText(of, view.pin) : "a session that is gone"}${where}`);
  }
}

/** "12:03:01.2 to 12:03:05.1, 3.90 s". */
export function spanText(session: Session, range: Range): string {
  const at = (ns: number) => clock(unixSeconds(session, ns), true);
  return `${at(range.start_ns)} to ${at(range.end_ns)}, ${duration(range.end_ns - range.start_ns)}`;
}
