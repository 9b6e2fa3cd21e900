// What one way through a temporary thread state takes, as stacked parts over time. Plain functions of data;
// order and names are those of the plot on paper (dashboard/src/plot/states.rs).

import type uPlot from "uplot";
import { duration } from "../format";
import { PALETTE } from "../palette";
import { color } from "../theme";
import type { Frame, Range, Session } from "../types";
import type { Spec } from "./chart";
import { frameSpec } from "./series";

/** From the bottom up. Running is not a cost of the state: it stands on top, where it hides nothing. */
export const CYCLE_PARTS = [
  { key: "create_ns", name: "making the state", color: PALETTE[0] },
  { key: "chunk_ns", name: "mapping chunks", color: PALETTE[1] },
  { key: "delete_ns", name: "deleting", color: PALETTE[2] },
  { key: "gil_wait_ns", name: "waiting for the GIL", color: PALETTE[3] },
  { key: "run_ns", name: "running", color: PALETTE[5] },
] as const;

export type CycleKey = (typeof CYCLE_PARTS)[number]["key"];

/** Each part is painted over the sum of it and all below it, top first. */
export function cycleSpec(session: Session, frame: Frame, window: Range, height: number, shown: readonly CycleKey[]): Spec {
  const { times, ...shared } = frameSpec(session, frame, window);
  const parts = CYCLE_PARTS.filter((part) => shown.includes(part.key));
  const at = (key: string, index: number) => frame.values[key]?.[index] ?? NaN;
  const sums: (number | null)[][] = [];
  for (const part of parts) {
    const below = sums.at(-1);
    sums.push(Array.from({ length: frame.count }, (_, index) => {
      const value = at(part.key, index);
      return Number.isNaN(value) ? null : (below?.[index] ?? 0) + value;
    }));
  }
  const line = color("panel");
  const series = parts.map((part): uPlot.Series => ({
    label: part.name, fill: part.color, stroke: line, width: 0.5, points: { show: false },
  }));
  const text = (value: number | null) => duration(value);
  return {
    ...shared,
    key: `cycle ${session.id} ${shown.join()}`,
    height,
    data: [times, ...(sums.reverse() as unknown as number[][])],
    series: series.reverse(),
    yMin: 1000,
    yLabel: duration,
    summary: "What one way through a temporary thread state takes, stacked by its parts, over time.",
    describe: (index) => parts.map((part) => `${part.name} ${duration(at(part.key, index))}`).join(", "),
    columns: parts.map((part) => ({ name: part.name, values: frame.values[part.key] ?? [], text })),
  };
}
