// The ThreadWakeup graph: from a frame of CPU to a stacked chart, whole bands or their parts. Plain
// functions of data; the order, the colours and the names are those of the plot on paper
// (dashboard/src/plot/cpu.rs), and a test holds them together.

import { clock, cpu, duration } from "../format";
import { bandColors } from "../palette";
import { tint } from "../theme";
import type { Band, Frame, Range, Session } from "../types";
import type { Column, Spec } from "./chart";
import { frameSpec } from "./series";
import type { Stratum, Tile } from "./strata";
import { hatchTile, plainTile } from "./tiles";

/** The parts of a band from the bottom up, with what they are called. */
export const PARTS = [
  { key: "holding", name: "holding the GIL" },
  { key: "running", name: "running without it" },
  { key: "unknown", name: "running, the GIL not watched" },
  { key: "runnable", name: "waiting for a core" },
] as const;

export type PartKey = (typeof PARTS)[number]["key"];

/** One area of the stack. */
interface Layer extends Stratum { name: string }

/** How a part of a band is painted: full colour, pale, dotted, hatched. */
function partTile(part: PartKey, base: string): Tile {
  if (part === "holding") return plainTile(base);
  if (part === "running") return plainTile(tint(base));
  return hatchTile(base, part === "runnable" ? "lines" : "dots");
}

/** From the bottom up; parts that are nothing everywhere are left out. */
function layers(frame: Frame): Layer[] {
  const bands = frame.bands ?? [];
  const colors = bandColors(bands);
  return bands.flatMap((band, index): Layer[] => {
    if (!band.parts) return [{ name: band.name, values: frame.values[index], tile: plainTile(colors[index]) }];
    return PARTS.filter((part) => (band.parts![`${part.key}_ns`] ?? 0) > 0).map((part) => ({
      name: `${band.name}, ${part.name}`,
      values: frame.values[`${index}.${part.key}`],
      tile: partTile(part.key, colors[index]),
    }));
  });
}

/** The chart knows the sum of the layers; these are painted beneath it, pixel by pixel. */
export function stackSpec(session: Session, frame: Frame, window: Range, height: number, unit: "cores" | "percent"): Spec {
  const { times, ...shared } = frameSpec(session, frame, window);
  const stack = layers(frame);
  const scale = unit === "percent" ? 100 : 1;
  const sum = Array.from({ length: frame.count }, (_, at) =>
    stack.reduce((below, { values }) => below + (Number.isNaN(values[at]) ? 0 : values[at]), 0) * scale);
  const said = (index: number) => (frame.bands ?? []).map((band, at) => `${band.name} ${cpu(frame.values[at]?.[index], unit)}`);
  return {
    ...shared,
    key: `cpu ${session.id} ${unit}`,
    height,
    data: [times, sum],
    series: [{ label: "all threads", paths: () => null, points: { show: false } }],
    strata: stack,
    strataScale: scale,
    yMin: scale,
    yLabel: (value) => (unit === "percent" ? `${+value.toFixed(1)} %` : String(+value.toFixed(2))),
    summary: summary(frame, unit),
    describe: (index) => `all threads ${cpu(frame.values.total?.[index], unit)}; ${said(index).join(", ")}`,
    columns: columns(frame, unit),
  };
}

function summary(frame: Frame, unit: "cores" | "percent"): string {
  const bands = frame.bands ?? [];
  const used = bands.map((band) => `${band.name} ${cpu(mean(frame, band.cpu_ns), unit)}`).join(", ");
  return `CPU over time, stacked by thread. Mean over ${duration(length(frame))}: ${used || "nothing"}.`;
}

/** What the chart shows, as a table. */
function columns(frame: Frame, unit: "cores" | "percent"): Column[] {
  const text = (value: number | null) => cpu(value, unit);
  const total: Column = { name: "all threads", values: frame.values.total ?? [], text };
  return [total, ...layers(frame).map((layer) => ({ name: layer.name, values: layer.values, text }))];
}

function length(frame: Frame): number {
  return frame.range ? frame.range.end_ns - frame.range.start_ns : 0;
}

/** Mean cores over the frame's range. */
export function mean(frame: Frame, cpu_ns: number | null | undefined): number | null {
  return cpu_ns != null && length(frame) > 0 ? cpu_ns / length(frame) : null;
}

/** Colours of the threads that have a band of their own, by key. */
export function threadColors(frame: Frame | undefined): Map<number, string> {
  const bands = frame?.bands ?? [];
  const colors = bandColors(bands);
  return new Map(bands.flatMap((band, index): [number, string][] => {
    const key = threadOf(band);
    return key === null ? [] : [[key, colors[index]]];
  }));
}

function threadOf({ of }: Band): number | null {
  if (of === "exited" || "more" in of) return null;
  return "main" in of ? of.main : of.thread;
}

/** "12:03:04.5" for a value of a frame. */
export function timeAt(session: Session, frame: Frame, index: number): string {
  const at_ns = (frame.start_ns ?? 0) + (index + 0.5) * (frame.step_ns ?? 0);
  return clock((session.target.anchor_unix_ns + at_ns) / 1e9, true);
}
