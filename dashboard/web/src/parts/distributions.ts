// The GIL's four distributions: each a histogram on a logarithmic axis, with the table behind it.

import { Histogram } from "../charts/histogram";
import { Tabled, type Plain } from "../charts/tabled";
import { aboutOf, type Context } from "../context";
import { h } from "../dom";
import { count, duration, percent } from "../format";
import type { Distribution, Histograms, Range } from "../types";
import { exportButtons, panel } from "./panel";

const ALL = [
  { key: "wait", title: "Wait for the GIL", color: "waiters", plot: "gil-wait" },
  { key: "hold", title: "Hold of the GIL", color: "held", plot: "gil-hold" },
  { key: "drop_to_release", title: "Drop request to release", color: "drop", plot: "gil-drop-to-release" },
  { key: "wake", title: "Release to acquire by a waiter", color: "wake", plot: "gil-wake" },
] as const;

export class Distributions {
  readonly element: HTMLElement;
  private readonly histograms = ALL.map((each) => new Histogram(each.title, each.color));
  private readonly tables = ALL.map((each, index) => new Tabled(each.plot, each.title, this.histograms[index].element));

  constructor(where: () => { session: number; range: Range }) {
    this.element = h("div", { class: "four" }, ...ALL.map((each, index) => {
      const box = panel(each.title, [this.tables[index].toggle, ...exportButtons(each.plot, each.title, where)]);
      box.body.append(this.tables[index].element);
      return box.element;
    }));
  }

  draw(context: Context, data: Histograms): void {
    ALL.forEach((each, index) => {
      const distribution = data[each.key];
      const tabled = this.tables[index].draw(aboutOf(context), () => plain(distribution));
      if (!tabled) this.histograms[index].draw(distribution);
    });
  }
}

function plain(data: Distribution): Plain {
  let below = 0;
  const rows = data.buckets.map((bucket) => {
    below += bucket.count;
    return [duration(bucket.low_ns), duration(bucket.high_ns), count(bucket.count), percent(below / data.count)];
  });
  return {
    caption: `${count(data.count)}: p50 ${duration(data.p50_ns)}, p95 ${duration(data.p95_ns)}, p99 ${duration(data.p99_ns)}, ` +
      `max ${data.max_is_bound ? "≤ " : ""}${duration(data.max_ns)}.`,
    head: ["From", "Up to", "Count", "So far"],
    rows,
  };
}
