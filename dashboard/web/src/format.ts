// Figures for people: units and as many digits as carry meaning. Unknown is a dash, never a zero.

import type { FigureUnit } from "./types";

export const UNKNOWN = "–";

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** A duration with three significant digits: "812 ns", "4.20 ms", "1 min 12 s". */
export function duration(ns: number | null | undefined): string {
  if (ns == null || !Number.isFinite(ns)) return UNKNOWN;
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${digits(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${digits(ns / 1e6)} ms`;
  if (ns < 60e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  const [whole, unit, rest, small] = seconds < 3600
    ? [Math.floor(seconds / 60), "min", seconds % 60, "s"]
    : [Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min"];
  return rest ? `${whole} ${unit} ${rest} ${small}` : `${whole} ${unit}`;
}

/** A duration on an axis: "1 µs", "20 ms". */
export function tick(ns: number): string {
  const [unit, size] = ns < 1e3 ? ["ns", 1] : ns < 1e6 ? ["µs", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9];
  return `${+(ns / (size as number)).toPrecision(3)} ${unit}`;
}

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A whole number with thousands separators. */
export function count(value: number | null | undefined): string {
  return value == null ? UNKNOWN : grouped.format(value).replaceAll(",", " ");
}

/** A rate: "1 234 /s", "0.42 /s". */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null || !Number.isFinite(perSecond)) return UNKNOWN;
  return `${perSecond >= 99.95 ? count(perSecond) : digits(perSecond)} /s`;
}

/** A rate on an axis, short: "20k /s", "250 /s". */
export function rateTick(perSecond: number): string {
  return perSecond < 1e3 ? `${+perSecond.toPrecision(3)} /s` : `${+(perSecond / 1e3).toPrecision(3)}k /s`;
}

export function percent(share: number | null | undefined): string {
  if (share == null || !Number.isFinite(share)) return UNKNOWN;
  const value = share * 100;
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** CPU in cores: "0.97". */
export function cores(value: number | null | undefined): string {
  return value == null || !Number.isFinite(value) ? UNKNOWN : value.toFixed(2);
}

/** CPU in cores, or with 100 % for one: "0.97", "97 %". */
export function cpu(value: number | null | undefined, unit: "cores" | "percent"): string {
  if (unit === "cores" || value == null || !Number.isFinite(value)) return cores(value);
  return `${digits(value * 100)} %`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return UNKNOWN;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${unit === 0 ? size : digits(size)} ${units[unit]}`;
}

/** Wall clock of this machine; with tenths where seconds do not tell moments apart. */
export function clock(unix_s: number, tenths = false): string {
  const date = new Date(unix_s * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return tenths ? `${text}.${Math.floor(date.getMilliseconds() / 100)}` : text;
}

/** The last part of a path; the whole of it stays in a tooltip. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A figure in its unit. */
export function figure(unit: FigureUnit, value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  switch (unit) {
    case "share": return percent(value);
    case "ns": return duration(value);
    case "per_second": return rate(value);
    case "bytes": return bytes(value);
    case "count": return count(value);
    default: return cores(value);
  }
}

/** A difference: "+1.20", "−4.0 %"; none is "0" in its unit. */
export function signed(value: number | null | undefined, text: (size: number) => string): string {
  if (value == null || !Number.isFinite(value)) return UNKNOWN;
  const size = text(Math.abs(value));
  return text(0) === size ? size : `${value < 0 ? "−" : "+"}${size}`;
}
