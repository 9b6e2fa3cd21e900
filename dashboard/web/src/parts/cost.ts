// What gilscope itself takes, live: measured for this program, an estimate for the hooks.

import { h, setText } from "../dom";
import { bytes, percent, rate, UNKNOWN } from "../format";
import type { Cost, Session } from "../types";

export class CostList {
  readonly element = h("dl", { class: "facts cost" });
  private readonly values: HTMLElement[];

  constructor() {
    const names = ["CPU of gilscope", "Memory of gilscope", "Mapped in the target", "Hooks in the target"];
    this.values = names.map((name) => this.element.appendChild(h("dt", {}, name)) && this.element.appendChild(h("dd")));
  }

  draw(cost: Cost | undefined, session: Session): void {
    const texts = cost ? textsOf(cost, session) : this.values.map(() => UNKNOWN);
    this.values.forEach((value, index) => setText(value, texts[index]));
  }
}

function textsOf(cost: Cost, session: Session): string[] {
  const over = session.ended ? "nothing any more: it ended or was left" : UNKNOWN;
  const { daemon_cpu_cores: cpu, cycles_per_s: cycles, hook_cores_estimate: hooks } = cost;
  return [
    cpu === null ? "measuring …" : `${percent(cpu)} of a core, for all targets and pages`,
    bytes(cost.daemon_rss_bytes),
    cost.mapped_bytes === null ? over : `${bytes(cost.mapped_bytes)} of addresses: code and shared counters`,
    hooks === null || cycles === null ? over
      : `${percentOfCore(hooks)} of a core, an estimate: ${rate(cycles).replace(" /s", "")} cycles a second × ${cost.hook_ns_per_cycle} ns`,
  ];
}

/** Hooks cost so little that a tenth of a percent would hide most of it. */
function percentOfCore(cores: number): string {
  const share = cores * 100;
  return share === 0 ? "0 %" : share < 0.001 ? "less than 0.001 %" : `about ${share.toPrecision(2)} %`;
}
