// The page of thread states: how often threads come into Python without one, what that costs, and whose
// threads they are.

import { ChartBox } from "../charts/box";
import type { ChartEvents } from "../charts/chart";
import { CYCLE_PARTS, cycleSpec, type CycleKey } from "../charts/cycle";
import { lineSpec } from "../charts/series";
import { stackSpec } from "../charts/stack";
import type { Context, PageView } from "../context";
import { h, setText, show } from "../dom";
import { count, duration, percent, rate, rateTick } from "../format";
import { Callers, callsOf, costOf, freshOf, keptOf, savedOf } from "../parts/callers";
import { Figures, type Figure } from "../parts/figures";
import { keyed } from "../parts/keyed";
import { Legend } from "../parts/legend";
import { exportButtons, panel, toggle } from "../parts/panel";
import { KEEP_CHUNKS, TrySwitch } from "../parts/tries";
import { select } from "../span";
import { getView, setView } from "../state";
import type { StateTotals } from "../types";

const COST: readonly CycleKey[] = ["create_ns", "chunk_ns", "delete_ns"];

export class StatesPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "states";
  private readonly where = () => ({ session: this.context!.session.id, range: this.context!.window });
  private readonly events: ChartEvents = { select: (from_s, to_s) => select(this.context!.session, from_s, to_s) };
  private readonly made = new ChartBox("states-made", "thread states made", this.events);
  private readonly cycle = new ChartBox("states-cycle", "what a cycle takes", this.events);
  private readonly cpu = new ChartBox("states-cpu", "CPU per thread", this.events);
  private readonly legend = new Legend();
  private readonly figures = new Figures();
  private readonly callers = new Callers();
  private readonly key = h("ul", { class: "keyed" });
  private readonly whole = toggle("Waiting and running too", "Show the whole cycle, not only what the state costs", wholeCycle);
  private readonly keep = new TrySwitch(KEEP_CHUNKS);
  private readonly off = h("p", { class: "empty" });
  private readonly content = h("div", { class: "page-content" });
  private context: Context | null = null;

  constructor() {
    const box = (title: string, body: HTMLElement[], tools: Node[] = []) => {
      const made = panel(title, tools);
      made.body.append(...body);
      return made.element;
    };
    const time = h("div", { class: "two even" },
      box("Thread states made, and calls with a kept one, per second", [this.made.element],
        [this.made.toggle, ...exportButtons("tstate-rate", "thread states made", this.where)]),
      box("What one temporary state costs", [this.cycle.element, this.key],
        [this.keep.element, this.whole, this.cycle.toggle, ...exportButtons("tstate-cost", "the cost of a temporary thread state", this.where)]));
    const stack = h("div", { class: "stack-and-legend" }, h("div", { class: "stack" }, this.cpu.element), this.legend.element);
    this.content.append(this.figures.element, time, box("Who calls", [this.callers.element]),
      box("CPU per thread, foreign threads together", [stack], [this.cpu.toggle]));
    this.element.append(this.off, this.content);
  }

  draw(context: Context): void {
    this.context = context;
    const { parts, session, window } = context;
    const watched = (parts.states?.columns.length ?? 0) > 0;
    show(this.off, !watched);
    show(this.content, watched);
    setText(this.off, `The thread states of this process are not watched: ${session.notes.thread_states ?? session.notes.gil ?? "the probe tstate is off, or no figures have come yet"}.`);
    if (!watched) return;
    this.keep.draw(session);
    this.drawCharts(context);
    if (parts.callers) {
      this.figures.draw(figures(parts.callers));
      this.callers.update(parts.callers);
    }
    if (!parts.cpu) return;
    this.cpu.draw(stackSpec(session, parts.cpu, window, 220, getView().unit));
    this.legend.draw(session, parts.cpu, null, getView().unit);
  }

  private drawCharts({ session, parts, window }: Context): void {
    const lines = [
      { name: "created_per_s", color: "held", fill: "held-fill" },
      { name: "kept_per_s", color: "waiters" },
    ];
    this.made.draw(lineSpec(session, parts.states!, window, lines, {
      height: 150, yMin: 10, yLabel: rateTick,
      summary: "Thread states made a second, and calls of PyGILState_Ensure that found one that was kept.",
    }));
    const whole = isWhole();
    const shown = CYCLE_PARTS.filter((part) => whole || COST.includes(part.key));
    this.whole.setAttribute("aria-pressed", String(whole));
    this.cycle.draw(cycleSpec(session, parts.states!, window, 150, shown.map((part) => part.key)));
    this.key.replaceChildren(...shown.map((part) => keyed(part.color, part.name)));
  }
}

function isWhole(): boolean {
  return getView().filters.cycle === "whole";
}

function wholeCycle(): void {
  setView({ filters: { ...getView().filters, cycle: isWhole() ? "" : "whole" } });
}

function figures({ all, range, live_temporary, calibrated_kept_ns }: StateTotals): Figure[] {
  const window_ns = range.end_ns - range.start_ns;
  const per_s = (value: number) => rate(window_ns ? (value * 1e9) / window_ns : null);
  const of_core = (ns: number | null) => (ns === null ? "–" : percent(window_ns ? ns / window_ns : null));
  const each = (ns: number) => duration(all.cycles ? ns / all.cycles : null);
  const kept = keptOf(all) ?? calibrated_kept_ns;
  const calls = callsOf(all);
  const fresh = freshOf(all);
  const lost = all.unseen_fresh + all.unseen_other > 0;
  return [
    { name: "calls", value: per_s(calls), title: `${count(calls)} calls of PyGILState_Ensure in the span` },
    { name: "fresh", value: percent(calls ? fresh / calls : null), title: `${count(fresh)} of them had to make a thread state` },
    { name: "live temporary", value: lost ? "–" : count(Math.max(0, live_temporary)), title: "States made since gilscope came, and not deleted yet" },
    { name: "cost", value: of_core(costOf(all)), title: `Making and deleting took ${duration(costOf(all))} of CPU: so much of one core` },
    { name: "a cycle", value: each(costOf(all)), title: "Making, mapping, unmapping and deleting, for one temporary state" },
    { name: "a kept cycle", value: duration(kept), title: all.kept_cycles ? `Taking and giving back the GIL with a state that is kept; ${count(all.kept_cycles)} were timed` : "No call of this process found a kept state: the least of a run of gilscope's own in its interpreter, when it came" },
    { name: "to save", value: of_core(savedOf(all, kept)), title: "Of a core, had all states been kept; page faults of new chunks come on top" },
    { name: "chunks", value: per_s(all.maps), title: "Data-stack chunks of 16 KiB mapped in cycles, which are unmapped at their end (Python 3.11 and later)" },
  ];
}
