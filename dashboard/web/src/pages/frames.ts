// The Frames page: what the interpreter holds for frames that do not run, by kind, module, function and thread.

import "./frames.css";
import { ChartBox } from "../charts/box";
import { frameSpec } from "../charts/series";
import type { Spec } from "../charts/chart";
import { plainTile } from "../charts/tiles";
import type { Context, PageView } from "../context";
import { h, setText, show } from "../dom";
import { baseName, bytes, count, duration, UNKNOWN } from "../format";
import { PALETTE } from "../palette";
import { Figures } from "../parts/figures";
import { keyed } from "../parts/keyed";
import { exportButtons, panel } from "../parts/panel";
import { bar, Table } from "../parts/table";
import { Treemap } from "../parts/treemap";
import { select } from "../span";
import { color } from "../theme";
import type { Frame, FrameFunction, FrameModule, FramesHeld, FramesKept, FrameThread, Range, Session } from "../types";

/** Kinds of memory from the bottom of the stack, as on paper (dashboard/src/plot/frames_resident.rs). */
const KINDS = {
  zombie: [
    { column: "zombie_bytes", name: "zombies", color: () => PALETTE[4] },
    { column: "free_list_bytes", name: "free list", color: () => PALETTE[1] },
  ],
  chunk: [
    { column: "used_bytes", name: "in use", color: () => color("more") },
    { column: "slack_bytes", name: "slack in chunks", color: () => PALETTE[0] },
    { column: "cached_bytes", name: "cached chunks", color: () => PALETTE[5] },
  ],
};
/** What a census finds, and what it is called here. */
const HOLDERS = [
  { key: "zombies", name: "zombie" },
  { key: "suspended", name: "suspended" },
  { key: "exhausted", name: "ended" },
  { key: "escaped", name: "escaped" },
] as const;

type Row<T> = T & { kind: string };

export class FramesPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "kept";
  private readonly figures = new Figures();
  private readonly box = new ChartBox("frames", "memory held for frames", { select: (from, to) => select(this.session!, from, to) });
  private readonly key = h("ul", { class: "keyed" });
  private readonly treemap = new Treemap("No frame of any module was found.");
  private readonly empty = h("p", { class: "empty" });
  private readonly full = h("div", { class: "page-inner" });
  private readonly note = h("p", { class: "hint" });
  private readonly modules: Table<Row<FrameModule>>;
  private readonly functions: Table<Row<FrameFunction>>;
  private readonly threads: Table<FrameThread>;
  private readonly threadPanel = panel("Data stacks by thread");
  private readonly byModule: ReturnType<typeof panel>;
  private session: Session | null = null;
  private window: Range | null = null;
  private most = { module: 1, function: 1 };

  constructor() {
    const where = () => ({ session: this.session!.id, range: this.window! });
    this.modules = moduleTable(() => this.most.module);
    this.functions = functionTable(() => this.most.function);
    this.threads = threadTable();
    const over = panel("Memory held for frames", [this.box.toggle, ...exportButtons("frames-resident", "memory held for frames", where)]);
    over.body.append(this.box.element, this.key);
    this.byModule = panel("By module", exportButtons("frames-by-module", "frames by module", where));
    this.byModule.body.append(this.treemap.element, this.modules.element);
    const functions = panel("By function");
    functions.body.append(this.functions.element, this.note);
    this.threadPanel.body.append(this.threads.element);
    this.full.append(this.figures.element, over.element, this.threadPanel.element, this.byModule.element, functions.element);
    this.element.append(this.empty, this.full);
  }

  draw({ session, parts, window }: Context): void {
    [this.session, this.window] = [session, window];
    const { kept, frames } = parts;
    show(this.empty, !kept);
    show(this.full, Boolean(kept));
    if (!kept) {
      setText(this.empty, session.notes.frames ? `No figures: ${session.notes.frames}.`
        : "No figures of frames in this session. They come with the probe frames, which is on by default: attach without --probes, or with --probes gil,cpu,frames.");
      return;
    }
    this.figures.draw(figuresOf(kept));
    if (frames?.count) this.box.draw(stackSpec(session, frames, kept.model, window));
    const kinds = [...KINDS[kept.model]].reverse();
    this.key.replaceChildren(...kinds.map((kind) => keyed(kind.color(), kind.name)),
      h("li", {}, h("span", { class: "swatch line", "aria-hidden": "true" }), "in RAM (line)"));
    this.drawHolders(kept);
    show(this.threadPanel.element, kept.model === "chunk");
    setText(this.threadPanel.note, kept.threads_unread ? `${kept.threads_unread} changed too fast to be read` : "");
    this.threads.update(kept.threads);
  }

  private drawHolders(kept: FramesKept): void {
    const of = <T>(rows: (held: FramesHeld) => T[]) => HOLDERS.flatMap(({ key, name }) => {
      const held = kept[key];
      return held ? rows(held).map((row) => ({ ...row, kind: name })) : [];
    });
    const modules = of((held) => held.by_module);
    const functions = of((held) => held.top);
    const most = (rows: { bytes: number }[]) => rows.reduce((most, row) => Math.max(most, row.bytes), 1);
    this.most = { module: most(modules), function: most(functions) };
    this.modules.update(modules);
    this.functions.update(functions);
    const sums = new Map<string, number>();
    modules.forEach((row) => sums.set(row.module, (sums.get(row.module) ?? 0) + row.bytes));
    this.treemap.draw([...sums].map(([name, size]) => ({ name, size, text: bytes(size) })));
    setText(this.byModule.note, kept.model === "zombie" ? "frames that code objects keep for their next call"
      : "frames in generators and coroutines, and frame objects that outlive their call");
    const census = kept.census;
    setText(this.note, census
      ? `A census looked through ${bytes(census.looked_at_bytes)} in ${duration(census.took_ns)}, from outside: the GIL was not taken.`
        + (census.swapped_bytes ? ` ${bytes(census.swapped_bytes)} are swapped out and were left alone.` : "")
      : noCensus(this.session));
  }
}

function noCensus(session: Session | null): string {
  const why = session?.notes["frames.census"];
  return why ? `No census: ${why}.` : "The first census is under way.";
}

function figuresOf(kept: FramesKept) {
  const tally = (held: { count: number; bytes: number } | null) => (held ? `${count(held.count)} · ${bytes(held.bytes)}` : UNKNOWN);
  const shared = [
    { name: "Idle", value: bytes(kept.idle_bytes), title: "Memory held for frames that do not run" },
    { name: "In RAM", value: bytes(kept.resident_bytes), title: "Of all memory held for frames" },
  ];
  if (kept.model === "zombie") {
    return [...shared,
      { name: "Zombies", value: tally(kept.zombies), title: "A frame that each code object keeps after its first call; nothing bounds their number" },
      { name: "Called once", value: tally(kept.zombies?.called_once ?? null), title: "Zombies of code that was called once: most likely never needed again" },
      { name: "Free list", value: tally(kept.free_list), title: "Frames kept for any call, 200 at most" },
      { name: "Pools pinned", value: kept.pinned ? `${count(kept.pinned.pools)}, ${count(kept.pinned.pools_alone)} alone` : UNKNOWN,
        title: "Pools of the small-object allocator that hold a zombie, and of them those that hold nothing else" },
    ];
  }
  const chunks = kept.chunks;
  return [...shared,
    { name: "Chunks", value: tally(chunks), title: "Pieces of all threads' data stacks" },
    { name: "In use", value: bytes(chunks?.used_bytes), title: "Of the chunks: by frames that run, or wait below others" },
    { name: "Suspended", value: tally(kept.suspended), title: "Frames in generators and coroutines that wait to go on" },
    { name: "Ended", value: tally(kept.exhausted), title: "Generators and coroutines that have ended and are still referred to" },
    { name: "Escaped", value: tally(kept.escaped), title: "Frame objects that outlive their call, in tracebacks for example" },
  ];
}

function stackSpec(session: Session, frame: Frame, model: FramesKept["model"], window: Range): Spec {
  const { times, ...shared } = frameSpec(session, frame, window);
  const kinds = KINDS[model];
  const resident = Array.from(frame.values.resident_bytes ?? [], (value) => (Number.isNaN(value) ? null : value));
  const sum = Array.from({ length: frame.count }, (_, at) => {
    const known = kinds.map((kind) => frame.values[kind.column]?.[at]).filter((value) => !Number.isNaN(value));
    return known.length ? known.reduce((all, value) => all + value, 0) : null;
  });
  const text = (value: number | null) => bytes(value);
  const columns = [...kinds.map((kind) => ({ name: kind.name, column: kind.column })), { name: "idle", column: "idle_bytes" }, { name: "in RAM", column: "resident_bytes" }];
  return {
    ...shared,
    key: `frames ${session.id} ${model}`,
    height: 240,
    data: [times, sum, resident],
    series: [
      { label: "all", paths: () => null, points: { show: false } },
      { label: "in RAM", stroke: color("text"), width: 1.25, points: { show: false } },
    ],
    strata: kinds.map((kind) => ({ values: frame.values[kind.column] ?? [], tile: plainTile(kind.color()) })),
    yMin: 4096,
    yBytes: true,
    yLabel: (value) => bytes(value).replace(/\.0+(?= )/, ""),
    summary: `Memory held for frames over time, stacked: ${kinds.map((kind) => kind.name).join(", ")}.`,
    describe: (index) => columns.map(({ name, column }) => `${name} ${bytes(frame.values[column]?.[index])}`).join(", "),
    columns: columns.map(({ name, column }) => ({ name, values: frame.values[column] ?? [], text })),
  };
}

function moduleTable(most: () => number): Table<Row<FrameModule>> {
  return new Table<Row<FrameModule>>("frames_modules", [
    { key: "module", label: "Module", title: "By sys.modules, else the file", text: (row) => row.module, sort: (row) => row.module },
    { key: "kind", label: "Kind", title: "What holds the frames", text: (row) => row.kind, sort: (row) => row.kind },
    { key: "count", label: "Frames", title: "How many", numeric: true, text: (row) => count(row.count), sort: (row) => row.count },
    { key: "bytes", label: "Memory", title: "Asked of the allocator", numeric: true, text: (row) => bytes(row.bytes), sort: (row) => row.bytes,
      dress: (cell, row) => bar(cell, bytes(row.bytes), row.bytes / most()) },
  ], "-bytes", "No frame of any module was found.");
}

function functionTable(most: () => number): Table<Row<FrameFunction>> {
  const place = (row: Row<FrameFunction>) => `${baseName(row.file)}:${row.line}`;
  return new Table<Row<FrameFunction>>("frames_functions", [
    { key: "function", label: "Function", title: "Whose frame it is", text: (row) => row.function, sort: (row) => row.function },
    { key: "where", label: "Line", title: "File and first line", text: place, sort: place,
      dress: (cell, row) => {
        setText(cell, place(row));
        cell.title = row.file;
      } },
    { key: "kind", label: "Kind", title: "What holds the frames", text: (row) => row.kind, sort: (row) => row.kind },
    { key: "count", label: "Frames", title: "How many", numeric: true, text: (row) => count(row.count), sort: (row) => row.count },
    { key: "bytes", label: "Memory", title: "Asked of the allocator", numeric: true, text: (row) => bytes(row.bytes), sort: (row) => row.bytes,
      dress: (cell, row) => bar(cell, bytes(row.bytes), row.bytes / most()) },
  ], "-bytes", "No frame of any function was found.");
}

function threadTable(): Table<FrameThread> {
  const number = (key: "chunks" | "bytes" | "used_bytes" | "resident_bytes", label: string, title: string, text: (value: number | null) => string) =>
    ({ key, label, title, numeric: true, text: (row: FrameThread) => text(row[key]), sort: (row: FrameThread) => row[key] });
  return new Table("frames_threads", [
    { key: "name", label: "Thread", title: "Python's name of it", text: (row) => row.name, sort: (row) => row.name },
    number("chunks", "Chunks", "Pieces of its data stack", count),
    number("bytes", "Mapped", "All of its chunks", bytes),
    number("used_bytes", "In use", "By frames that run or wait below others", bytes),
    { key: "idle", label: "Idle", title: "Mapped and not in use", numeric: true, text: (row) => bytes(row.bytes - row.used_bytes), sort: (row) => row.bytes - row.used_bytes,
      dress: (cell, row) => bar(cell, bytes(row.bytes - row.used_bytes), (row.bytes - row.used_bytes) / Math.max(1, row.bytes)) },
    number("resident_bytes", "In RAM", "What one deep call has touched stays until the thread ends", bytes),
  ], "-bytes", "No thread has run Python code.");
}
