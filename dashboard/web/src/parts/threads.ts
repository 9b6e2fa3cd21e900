// The threads table: CPU's columns on the CPU page, the GIL's on the GIL page.

import { h, setText } from "../dom";
import { count, duration, percent, UNKNOWN } from "../format";
import type { ThreadRow } from "../types";
import { bar, Table, type Column } from "./table";

const KINDS = {
  python: "started by Python",
  foreign: "started outside Python, took the GIL",
  native: "never took the GIL while watched",
};
const CLASSES = { io: "I/O", cpu: "CPU", idle: "idle" };

/** Name, colour (if the thread has one in the chart) and whether it is gone. */
function nameColumn(colors: Map<number, string>): Column<ThreadRow> {
  return {
    key: "name", label: "Thread", title: "Python's name of the thread, else the kernel's",
    text: (row) => row.name, sort: (row) => row.name,
    dress: (cell, row) => {
      if (!cell.firstChild) cell.append(h("span", { class: "swatch" }), h("span", { class: "name" }), h("span", { class: "tag" }));
      const [swatch, name, tag] = cell.children as unknown as HTMLElement[];
      swatch.style.backgroundColor = colors.get(row.key) ?? "transparent";
      setText(name, row.name || `thread ${row.thread_id}`);
      setText(tag, row.alive ? "" : "ended");
      cell.title = `${row.name} · ${KINDS[row.kind]}`;
    },
  };
}

const common: Column<ThreadRow>[] = [
  { key: "thread_id", label: "TID", title: "The kernel's thread id", numeric: true,
    text: (row) => (row.thread_id ? String(row.thread_id) : UNKNOWN), sort: (row) => row.thread_id },
  { key: "class", label: "Class", title: "I/O: lets go of the GIL by itself, soon. CPU: must be asked, or computes without it.",
    text: (row) => (row.class ? CLASSES[row.class] : UNKNOWN), sort: (row) => row.class },
];

type Cpu = NonNullable<ThreadRow["cpu"]>;
type Gil = NonNullable<ThreadRow["gil"]>;

/** The row of threads that lived between two samples: only the sum of their CPU is known. */
const EXITED = 0xffff_ffff;
const ofCpu = (key: keyof Cpu, label: string, title: string, text: (value: number | undefined) => string): Column<ThreadRow> => {
  const value = (row: ThreadRow) => (row.key === EXITED && key !== "cpu_ns" ? undefined : row.cpu?.[key]);
  return { key, label, title, numeric: true, text: (row) => text(value(row)), sort: (row) => value(row) ?? null };
};
const ofGil = (key: keyof Gil, label: string, title: string, text: (value: number | undefined) => string): Column<ThreadRow> => ({
  key, label, title, numeric: true, text: (row) => text(row.gil?.[key]), sort: (row) => row.gil?.[key] ?? null,
});

export class ThreadsTable {
  readonly table: Table<ThreadRow>;
  private readonly colors = new Map<number, string>();
  private largest = 1;

  constructor(kind: "cpu" | "gil") {
    const columns = kind === "cpu" ? this.cpuColumns() : this.gilColumns();
    this.table = new Table(`threads_${kind}`, [nameColumn(this.colors), ...common, ...columns],
      kind === "cpu" ? "-cpu_ns" : "-wait_inflicted_ns", "No thread was seen in this span.");
  }

  update(rows: ThreadRow[], n_rows: number, colors: Map<number, string>, kind: "cpu" | "gil"): void {
    const look = [...colors].join();
    this.colors.clear();
    colors.forEach((color, key) => this.colors.set(key, color));
    const size = (row: ThreadRow) => (kind === "cpu" ? row.cpu?.cpu_ns : row.gil?.wait_inflicted_ns) ?? 0;
    this.largest = Math.max(1, ...rows.map(size));
    this.table.update(rows, n_rows, look);
  }

  private cpuColumns(): Column<ThreadRow>[] {
    return [
      { ...ofCpu("cpu_ns", "CPU", "Time on a core in this span", duration),
        dress: (cell, row) => bar(cell, duration(row.cpu?.cpu_ns), (row.cpu?.cpu_ns ?? 0) / this.largest) },
      { key: "holding", label: "With GIL", numeric: true,
        title: "CPU while it held the GIL: the time it held it, as far as that was time on a core. A dash: the GIL was not watched.",
        text: (row) => duration(holding(row)), sort: holding },
      { key: "running", label: "Without", title: "CPU without the GIL", numeric: true,
        text: (row) => duration(running(row)), sort: running },
      ofCpu("cpu_user_ns", "User", "CPU in the program's own code", duration),
      ofCpu("cpu_system_ns", "System", "CPU in the kernel for this thread", duration),
      ofCpu("runqueue_ns", "Core wait", "Ready to run, but no core was free", duration),
      ofCpu("switches_voluntary", "Gave up core", "Times it stopped running by itself, to wait for something", count),
      ofCpu("switches_forced", "Lost core", "Times the kernel took the core away", count),
    ];
  }

  private gilColumns(): Column<ThreadRow>[] {
    return [
      { ...ofGil("wait_inflicted_ns", "Inflicted", "Waiting of other threads while this one held the GIL", duration),
        dress: (cell, row) => bar(cell, duration(row.gil?.wait_inflicted_ns), (row.gil?.wait_inflicted_ns ?? 0) / this.largest) },
      ofGil("hold_ns", "Held", "Time with the GIL", duration),
      ofGil("wait_ns", "Waited", "Time waiting for the GIL", duration),
      ofGil("acquires", "Acquires", "Times it took the GIL", count),
      { key: "contended", label: "Contended", title: "Share of acquires that had to wait", numeric: true,
        text: (row) => percent(share(row.gil?.acquires_contended, row.gil?.acquires)),
        sort: (row) => share(row.gil?.acquires_contended, row.gil?.acquires) },
      ofGil("drop_requests_received", "Drop requests", "Times it was asked to let go", count),
      ofGil("releases_forced", "Forced", "Releases that it was asked for", count),
    ];
  }
}

/** Null when all of its CPU is of a time when the GIL was not watched. */
function holding({ cpu, cpu_parts }: ThreadRow): number | null {
  return !cpu || !cpu_parts || (cpu.cpu_ns > 0 && cpu_parts.unknown_ns >= cpu.cpu_ns) ? null : cpu_parts.holding_ns;
}

function running(row: ThreadRow): number | null {
  const held = holding(row);
  return held === null ? null : row.cpu!.cpu_ns - held - row.cpu_parts!.unknown_ns;
}

function share(part: number | undefined, whole: number | undefined): number | null {
  return part === undefined || !whole ? null : part / whole;
}

/** Name of a thread by its key, as the tables have it. */
export function threadNames(rows: ThreadRow[]): Map<number, string> {
  return new Map(rows.map((row) => [row.key, row.name || `thread ${row.thread_id}`]));
}
