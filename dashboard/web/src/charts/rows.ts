// The table behind a chart over time: a few values of it, or of some neighbours together. Pure.

import { clock, duration } from "../format";
import type { Column, Spec } from "./chart";
import type { Plain } from "./tabled";

/** Rows that a person can read through. */
export const ROWS_MAX = 60;

export interface Row { at_s: number; values: (number | null)[] }

/** The chart as a table: time down, one column a series. */
export function plain({ data, columns = [], summary, x }: Spec): Plain {
  const rows = tableRows(data[0], columns);
  const step_s = rows.length > 1 ? rows[0].at_s - rows[1].at_s : x[1] - x[0];
  return {
    caption: `${summary} Newest first, ${duration(Math.round(step_s * 1e9))} a row.`,
    head: ["Time", ...columns.map((column) => column.name)],
    rows: rows.map((row) => [clock(row.at_s, step_s < 1), ...row.values.map((value, index) => columns[index].text(value))]),
  };
}

/** At most `ROWS_MAX` rows, newest first; each stands for as many values, and says when they begin. */
export function tableRows(times: ArrayLike<number>, columns: Column[], most = ROWS_MAX): Row[] {
  const each = Math.max(1, Math.ceil(times.length / most));
  const rows: Row[] = [];
  for (let start = 0; start < times.length; start += each) {
    const end = Math.min(times.length, start + each);
    rows.push({ at_s: times[start], values: columns.map((column) => together(column, start, end)) });
  }
  return rows.reverse();
}

function together({ values, most }: Column, start: number, end: number): number | null {
  let [sum, known, highest] = [0, 0, -Infinity];
  for (let at = start; at < end; at += 1) {
    const value = values[at];
    if (value === undefined || Number.isNaN(value)) continue;
    sum += value;
    known += 1;
    highest = Math.max(highest, value);
  }
  if (known === 0) return null;
  return most ? highest : sum / known;
}
