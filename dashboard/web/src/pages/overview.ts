// The overview: what stands out, how the target is, who it is, and what gilscope costs and could not see.

import "./overview.css";
import { Chart } from "../charts/chart";
import { lineSpec, percentLabel } from "../charts/series";
import { type Context, isGilWatched, type PageView } from "../context";
import { stateText } from "../current";
import { h, setText, show } from "../dom";
import { bytes, clock, cores, count, duration, percent, UNKNOWN } from "../format";
import { CostList } from "../parts/cost";
import { Culprits } from "../parts/culprits";
import { Findings } from "../parts/findings";
import { MarkList } from "../parts/marks";
import { exportButtons, panel, save } from "../parts/panel";
import { attempt } from "../parts/toast";
import { setView } from "../state";
import type { Frame, Page, Range, Session } from "../types";

const SPARKS = [
  { title: "CPU", part: "cpu", column: "total", color: "cpu", page: "cpu", plot: "cpu", yMin: 1, label: (value: number) => String(+value.toFixed(1)) },
  { title: "GIL held", part: "gil", column: "utilization", color: "held", page: "gil", plot: "gil-utilization", yMin: 1, yMax: 1.02, label: percentLabel },
  { title: "Waiting for it", part: "gil", column: "waiters", color: "waiters", page: "gil", plot: "gil-utilization", yMin: 1, label: (value: number) => String(+value.toFixed(1)) },
  { title: "Memory (RSS)", part: "process", column: "rss_bytes", color: "memory", page: null, plot: "memory", yMin: 1, label: bytes },
] as const;

export class OverviewPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "blame";
  private readonly facts = h("dl", { class: "facts" });
  private readonly sparks = SPARKS.map((spark) => new Spark(spark.title, spark.page,
    exportButtons(spark.plot, spark.title, () => ({ session: this.session!.id, range: this.window! }))));
  private readonly notes = h("ul", { class: "notes" });
  private readonly marks = new MarkList();
  private readonly findings = new Findings();
  private readonly culprits = new Culprits();
  private readonly cost = new CostList();
  private readonly lost = h("div");
  private session: Session | null = null;
  private window: Range | null = null;
  private shown = "";

  constructor() {
    const report = h("button", {
      type: "button", class: "quiet", title: "Save all figures of the whole session as report.json",
      click: () => void attempt(() => save(`/api/sessions/${this.session!.id}/report.json`, "report.json")),
    }, "Report (JSON)");
    const target = panel("Target", [report]);
    target.body.append(this.facts);
    const findings = panel("What stands out");
    findings.body.append(this.findings.element);
    const culprits = panel("Who makes others wait for the GIL");
    culprits.body.append(this.culprits.element);
    const honest = panel("What was lost, and what gilscope costs");
    honest.body.append(this.lost, this.cost.element, this.notes);
    const marks = panel("Marks");
    marks.body.append(this.marks.element);
    this.element.append(
      findings.element,
      h("div", { class: "sparks" }, ...this.sparks.map((spark) => spark.element)),
      h("div", { class: "two" }, h("div", { class: "column" }, culprits.element, target.element),
        h("div", { class: "column" }, honest.element, marks.element)));
  }

  draw({ session, parts, window }: Context): void {
    [this.session, this.window] = [session, window];
    this.marks.draw(session);
    this.findings.draw(parts.findings, session, window);
    if (parts.blame) this.culprits.draw(parts.blame, isGilWatched(parts));
    this.cost.draw(parts.cost, session);
    const gil = parts.totals;
    const waiters = gil && gil.held_ns + gil.free_ns > 0 ? gil.waited_ns / (gil.held_ns + gil.free_ns) : null;
    const values = [
      `${cores(session.cpu_cores)} cores`, percent(session.gil_utilization),
      waiters === null ? UNKNOWN : waiters.toFixed(2), bytes(session.rss_bytes),
    ];
    const hints = ["last 5 s", "last 5 s", "span's mean", "last sample"];
    SPARKS.forEach((spark, index) => {
      const frame = parts[spark.part];
      this.sparks[index].figure(values[index], hints[index]);
      if (frame) this.sparks[index].chart(session, frame, spark, window);
    });
    this.drawFacts(session);
  }

  private drawFacts(session: Session): void {
    const facts = factsOf(session);
    const state = JSON.stringify([facts, session.lost_by_cause, session.notes]);
    if (state === this.shown) return;
    this.shown = state;
    this.facts.replaceChildren(...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { title: value }, value)]));
    const causes = Object.entries(session.lost_by_cause).filter(([, lost]) => lost > 0);
    this.lost.replaceChildren(h("p", { class: session.events_lost ? "lost some" : "lost" },
      session.events_lost ? `${count(session.events_lost)} single events lost: totals stay exact, timelines have gaps.` : "No event was lost."),
      ...(causes.length ? [h("ul", { class: "causes" }, ...causes.map(([cause, lost]) => h("li", {}, `${cause.replaceAll("_", " ")}: ${count(lost)}`)))] : []));
    const notes = Object.entries(session.notes);
    this.notes.replaceChildren(...notes.map(([probe, why]) => h("li", {}, h("b", {}, probe), ` ${why}`)));
    show(this.notes, notes.length > 0);
  }
}

function factsOf(session: Session): [string, string][] {
  const { target, range } = session;
  const free = target.free_threaded === null ? "" : target.free_threaded ? ", free-threaded" : "";
  const at = (unix_ns: number) => `${new Date(unix_ns / 1e6).toLocaleDateString("en-CA")} ${clock(unix_ns / 1e9)}`;
  return [
    ["Process", `${target.pid} on ${target.host || "this machine"}`],
    ["Command", target.cmdline.join(" ") || UNKNOWN],
    ["Python", target.python_version ? `CPython ${target.python_version}${free}` : UNKNOWN],
    ["Executable", target.executable || UNKNOWN],
    ["Started", target.started_unix_ns ? at(target.started_unix_ns) : UNKNOWN],
    ["Watched since", target.anchor_unix_ns ? `${at(target.anchor_unix_ns)}, for ${duration(range.end_ns - range.start_ns)}` : UNKNOWN],
    ["Way in", target.method || UNKNOWN],
    ["Threads", `${session.n_threads_alive} alive, ${session.n_threads} seen`],
    ["Cores of the machine", target.n_cpus ? String(target.n_cpus) : UNKNOWN],
    ["State", stateText(session)],
  ];
}

/** A figure, its name and its course; leads to the page that tells more. */
class Spark {
  readonly element: HTMLElement;
  private readonly value = h("span", { class: "spark-value" });
  private readonly hint = h("span", { class: "hint" });
  private readonly plot: Chart;

  constructor(private readonly title: string, page: Page | null, files: Node[]) {
    const host = h("div");
    const name = page
      ? h("button", { type: "button", class: "link", title: `Open the ${page} page`, click: () => setView({ page }) }, title)
      : h("span", {}, title);
    this.element = h("section", { class: "panel spark" }, h("header", {}, h("h2", {}, name), this.hint),
      h("div", { class: "spark-row" }, this.value, h("span", { class: "tools" }, ...files)), host);
    this.plot = new Chart(host);
  }

  figure(value: string, hint: string): void {
    setText(this.value, value);
    setText(this.hint, hint);
  }

  chart(session: Session, frame: Frame, spark: (typeof SPARKS)[number], window: Context["window"]): void {
    this.plot.draw(lineSpec(session, frame, window,
      [{ name: spark.column, color: spark.color, fill: `${spark.color}-fill` }], {
        height: 64, compact: true, yMin: spark.yMin, yMax: "yMax" in spark ? spark.yMax : undefined, yLabel: spark.label,
        summary: `${this.title} over time, now ${this.value.textContent}`,
      }));
  }
}
