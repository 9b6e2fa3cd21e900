// From a frame of the server to a chart: pure functions of data.

import type uPlot from "uplot";
import { cores, percent } from "../format";
import { bandColors } from "../palette";
import { color } from "../theme";
import type { Frame, Range, Session } from "../types";
import type { Spec } from "./chart";

/** Unix seconds of a moment of the session. */
export function unixSeconds(session: Session, at_ns: number): number {
  return session.target.anchor_unix_ns / 1e9 + at_ns / 1e9;
}

/** The middle of each pixel, unix seconds. */
function times(session: Session, frame: Frame): number[] {
  const [start_ns, step_ns] = [frame.start_ns ?? 0, frame.step_ns ?? 0];
  return Array.from({ length: frame.count }, (_, index) => unixSeconds(session, start_ns + (index + 0.5) * step_ns));
}

/** Plain numbers, with null for "no value". */
function column(frame: Frame, name: string): (number | null)[] {
  return Array.from(frame.values[name] ?? [], (value) => (Number.isNaN(value) ? null : value));
}

function frameSpec(session: Session, frame: Frame, window: Range) {
  return {
    x: [unixSeconds(session, window.start_ns), unixSeconds(session, window.end_ns)] as [number, number],
    marks: session.marks.map((mark) => ({ mark, at_s: unixSeconds(session, mark.at_ns) })),
    times: times(session, frame),
  };
}

/** CPU per thread, stacked: each band is painted over the sum of it and all below it, top first. */
export function stackSpec(session: Session, frame: Frame, window: Range, height: number): Spec {
  const bands = frame.bands ?? [];
  const { x, marks, times } = frameSpec(session, frame, window);
  const colors = bandColors(bands);
  const sums: number[][] = [];
  bands.forEach((_, index) => {
    const below = sums[index - 1];
    sums.push(Array.from(frame.values[index] ?? [], (value, at) => (below ? below[at] : 0) + value));
  });
  const line = color("panel");
  const series = bands.map((band, index): uPlot.Series => ({
    label: band.name, fill: colors[index], stroke: line, width: 0.5, points: { show: false },
  }));
  const used = bands.map((band) => `${band.name} ${cores(mean(frame, band.cpu_ns))}`).join(", ");
  return {
    key: `cpu ${session.id} ${colors.join()}`,
    height, x, marks,
    data: [times, ...sums.reverse()],
    series: series.reverse(),
    yMin: 1,
    yLabel: (value) => String(+value.toFixed(2)),
    summary: `CPU in cores over time, stacked by thread. Mean over the span: ${used || "nothing"}.`,
  };
}

/** Mean cores over the frame's range. */
export function mean(frame: Frame, cpu_ns: number): number | null {
  const range = frame.range;
  return range && range.end_ns > range.start_ns ? cpu_ns / (range.end_ns - range.start_ns) : null;
}

interface Line { name: string; color: string; fill?: string; width?: number; dash?: number[] }

export interface LineOptions {
  height: number;
  yMin: number;
  yMax?: number;
  yLabel: (value: number) => string;
  summary: string;
  compact?: boolean;
}

/** Columns of a frame as lines. */
export function lineSpec(session: Session, frame: Frame, window: Range, lines: Line[], options: LineOptions): Spec {
  const { x, marks, times } = frameSpec(session, frame, window);
  return {
    ...options,
    key: `${frame.part} ${session.id} ${lines.map((line) => line.name).join()}`,
    x, marks,
    data: [times, ...lines.map((line) => column(frame, line.name))],
    series: lines.map((line) => ({
      label: line.name,
      stroke: color(line.color),
      fill: line.fill && color(line.fill),
      width: line.width ?? 1.25,
      dash: line.dash,
      points: { show: false },
    })),
  };
}

export const percentLabel = (value: number) => percent(value).replace(".0 %", " %");
