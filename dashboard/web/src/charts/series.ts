// From a frame of the server to a chart: pure functions of data.

import { percent, UNKNOWN } from "../format";
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

/** What all charts of a frame have in common. */
export function frameSpec(session: Session, frame: Frame, window: Range) {
  return {
    session: { id: session.id, anchor_s: unixSeconds(session, 0) },
    x: [unixSeconds(session, window.start_ns), unixSeconds(session, window.end_ns)] as [number, number],
    marks: session.marks.map((mark) => ({ mark, at_s: unixSeconds(session, mark.at_ns) })),
    times: times(session, frame),
  };
}

interface Line { name: string; color: string; fill?: string; width?: number; dash?: number[] }

export interface LineOptions {
  height: number;
  yMin: number;
  yMax?: number;
  yLabel: (value: number) => string;
  summary: string;
  describe?: (index: number) => string;
  compact?: boolean;
}

/** Columns of a frame as lines. */
export function lineSpec(session: Session, frame: Frame, window: Range, lines: Line[], options: LineOptions): Spec {
  const { times, ...shared } = frameSpec(session, frame, window);
  const said = (line: Line, index: number) => {
    const value = frame.values[line.name]?.[index];
    return `${line.name.replaceAll("_", " ")} ${value === undefined || Number.isNaN(value) ? "unknown" : options.yLabel(value)}`;
  };
  const text = (value: number | null) => (value === null ? UNKNOWN : options.yLabel(value));
  return {
    columns: lines.map((line) => ({
      name: line.name.replaceAll("_", " "), values: frame.values[line.name] ?? [], text, most: line.name.endsWith("_max"),
    })),
    describe: (index) => lines.map((line) => said(line, index)).join(", "),
    ...options, ...shared,
    key: `${frame.part} ${session.id} ${lines.map((line) => line.name).join()}`,
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
