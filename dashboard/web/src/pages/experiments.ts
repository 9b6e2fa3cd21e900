// The Experiments page: what was tried on this target, when, the same figures before and after, and the way back.

import { unixSeconds } from "../charts/series";
import type { Context, PageView } from "../context";
import { h, setText, show } from "../dom";
import { clock } from "../format";
import { panel } from "../parts/panel";
import { KEEP_CHUNKS, putOn, takeBack, tries } from "../parts/tries";
import type { Experiment, Session } from "../types";

export class ExperimentsPage implements PageView {
  private readonly list = h("div", { class: "page-content" });
  private readonly interval = h("input", { name: "interval", value: "1ms", size: 6, "aria-label": "Switch interval" });
  private readonly empty = h("p", { class: "empty" },
    "Nothing was tried on this process yet. Let it run for some seconds as it is, then try a remedy: its figures appear here, before and after.");
  private readonly over = h("p", { class: "hint" }, "The session is over; nothing more can be tried.");
  private readonly form: HTMLElement;
  readonly element: HTMLElement;
  readonly needs = "session";
  private session: Session | null = null;
  private shown = "";

  constructor() {
    const io = h("button", { type: "button", class: "primary", click: () => void this.change(putOn, "io-priority") }, "Try I/O threads first");
    const interval = h("form", { class: "inline", submit: (event: Event) => {
      event.preventDefault();
      void this.change(putOn, `switch-interval=${this.interval.value.trim()}`);
    } }, h("label", {}, "switch interval ", this.interval), " ", h("button", { type: "submit" }, "Try it"));
    const chunks = h("button", { type: "button", title: `${KEEP_CHUNKS.name}: ${KEEP_CHUNKS.does}`,
      click: () => void this.change(putOn, KEEP_CHUNKS.remedy) }, "Try keeping chunks of thread states");
    this.form = h("div", { class: "tries" }, io, interval, chunks);
    const box = panel("Try a remedy");
    box.body.append(this.form, this.over, h("p", { class: "hint" },
      "A remedy changes how this process shares its GIL, or what its thread states cost, at once and without a restart. It ends when it is taken back, " +
      "when gilscope leaves the process, and by itself within three seconds if gilscope dies."));
    this.element = h("main", { class: "page" }, box.element, this.empty, this.list);
  }

  draw({ session }: Context): void {
    this.session = session;
    show(this.form, session.ended === null);
    show(this.over, session.ended !== null);
    tries.look(session, () => this.fill(session));
    this.fill(session);
  }

  private fill(session: Session): void {
    show(this.empty, tries.all.length === 0);
    const state = JSON.stringify([session.id, session.ended !== null, tries.all]);
    if (state === this.shown) return;
    this.shown = state;
    this.list.replaceChildren(...tries.all.toReversed().map((each) => this.box(session, each)));
  }

  private box(session: Session, experiment: Experiment): HTMLElement {
    const stands = experiment.undone_ns === null && session.ended === null;
    const undo = h("button", { type: "button", class: "quiet", click: () => void this.change(takeBack, experiment.remedy) }, "Undo");
    const box = panel(experiment.remedy, stands ? [undo] : []);
    const at = (ns: number) => clock(unixSeconds(session, ns));
    const until = experiment.undone_ns === null ? (stands ? "stands" : "until the end") : `until ${at(experiment.undone_ns)}`;
    setText(box.note, `from ${at(experiment.at_ns)}, ${until} · ${experiment.setting}`);
    const head = h("tr", {}, ...["", "before", "after", "change"].map((name, index) =>
      h("th", { scope: "col", class: index ? "number" : "" }, name)));
    const rows = experiment.rows.map((row) =>
      h("tr", {}, ...row.map((cell, index) => h("td", { class: index ? "number" : "" }, cell))));
    box.body.append(h("div", { class: "table tried" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows))));
    return box.element;
  }

  /** Puts a remedy on or takes it back, then shows what came of it. */
  private async change(act: typeof putOn, remedy: string): Promise<void> {
    if (this.session) await act(this.session, remedy);
    if (this.session) tries.look(this.session, () => this.fill(this.session!));
  }
}
