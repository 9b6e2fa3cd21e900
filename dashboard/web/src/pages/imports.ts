// The Imports page: what each import keeps and takes, who asked for it, and how the process's memory grew meanwhile.

import { ChartBox } from "../charts/box";
import type { Spec } from "../charts/chart";
import { frameSpec, unixSeconds } from "../charts/series";
import type { Context, PageView } from "../context";
import { h, setText, show } from "../dom";
import { bytes, count, duration, UNKNOWN } from "../format";
import { Figures } from "../parts/figures";
import { Flame } from "../parts/flame";
import { importerOf, importPasses, importTree, keptOverTime, type Weight } from "../parts/importtree";
import { keyed } from "../parts/keyed";
import { exportButtons, panel, toggle } from "../parts/panel";
import { bar, Table } from "../parts/table";
import { Seen } from "../seen";
import { select } from "../span";
import { getView, setFilter } from "../state";
import { color } from "../theme";
import type { Frame, ImportRow, Imports, Range, Session } from "../types";

/** Rows of the table: more nobody reads; a search finds the others. */
const ROWS_MAX = 500;

export class ImportsPage implements PageView {
  readonly element = h("main", { class: "page" });
  readonly needs = "imports";
  private readonly figures = new Figures();
  private readonly flame: Flame;
  private readonly box = new ChartBox("imports", "memory and imports", { select: (from, to) => select(this.session!, from, to) });
  private readonly key = h("ul", { class: "keyed" });
  private readonly search = h("input", {
    type: "search", placeholder: "module or importer", size: 24, spellcheck: "false", autocomplete: "off", "aria-label": "Search imports",
    input: () => setFilter("import", this.search.value),
    keydown: (event: KeyboardEvent) => event.key === "Escape" && this.search.blur(),
  });
  private readonly byBytes = toggle("Memory", "As wide as the memory that it keeps", () => setFilter("weight", ""));
  private readonly byTime = toggle("Time", "As wide as the time that it took", () => setFilter("weight", "time"));
  private readonly empty = h("p", { class: "empty" });
  private readonly full = h("div", { class: "page-inner" });
  private readonly tree: ReturnType<typeof panel>;
  private readonly list: ReturnType<typeof panel>;
  private readonly table: Table<ImportRow>;
  private readonly drawn = new Seen();
  private session: Session | null = null;
  private window: Range | null = null;
  private most = { bytes: 1, time: 1 };
  private bytesKnown = true;

  constructor() {
    const where = () => ({ session: this.session!.id, range: getView().select ?? this.session!.range });
    this.flame = new Flame({
      label: "Icicle of imports",
      all: (root) => `all imports · ${weightText(this.weight(), root.weight)}`,
      figure: (node) => weightText(this.weight(), node.weight),
      more: (node) => (node.count > 1 ? `, with ${count(node.count - 1)} imports in it` : ""),
      nothing: () => "No import in this span.",
      hint: (root) => `${count(root.count)} imports, each below the one that it happened in.`,
    });
    this.table = importTable(() => this.most);
    this.tree = panel("What imports what", [this.byBytes, this.byTime, ...exportButtons("imports-icicle", "the tree of imports", where)]);
    this.tree.body.append(this.flame.element);
    const over = panel("Memory while it imports", [this.box.toggle, ...exportButtons("imports-memory", "memory and imports", where)]);
    over.body.append(this.box.element, this.key);
    this.list = panel("Modules", [this.search]);
    this.list.body.append(this.table.element);
    this.full.append(this.figures.element, this.tree.element, over.element, this.list.element);
    this.element.append(this.empty, this.full);
  }

  draw({ session, parts, window, view }: Context): void {
    [this.session, this.window] = [session, window];
    const { imports, process } = parts;
    show(this.empty, !imports);
    show(this.full, Boolean(imports));
    if (!imports) {
      setText(this.empty, session.notes.imports ? `No figures: ${session.notes.imports}.`
        : "Imports are not watched in this session. Start the program with: gilscope run --probes gil,cpu,imports -- python app.py. "
          + "Attached to a program that runs, the probe tells times and importers of what is imported from then on.");
      return;
    }
    if (process?.count) this.drawChart(session, process, imports);
    if (!this.drawn.isNew([imports, view.filters, view.sorts, view.select, innerWidth])) return;
    this.figures.draw(figuresOf(imports, session));
    this.drawTree(imports, session);
    this.drawTable(imports);
  }

  private weight(): Weight {
    return getView().filters.weight === "time" || !this.bytesKnown ? "time" : "bytes";
  }

  private drawTree(imports: Imports, session: Session): void {
    this.bytesKnown = imports.total_bytes !== null;
    const weight = this.weight();
    this.byBytes.disabled = !this.bytesKnown;
    this.byBytes.title = this.bytesKnown ? "As wide as the memory that it keeps" : `Memory is not known: ${session.notes["imports.bytes"] ?? "allocations are not counted"}`;
    this.byBytes.setAttribute("aria-pressed", String(weight === "bytes"));
    this.byTime.setAttribute("aria-pressed", String(weight === "time"));
    setText(this.tree.note, getView().select ? "of what is selected" : "of the whole session");
    this.flame.draw(importTree(imports.modules, weight));
  }

  private drawTable({ modules }: Imports): void {
    const wanted = getView().filters.import ?? "";
    if (this.search.value !== wanted) this.search.value = wanted;
    const found = wanted ? modules.filter((row) => importPasses(row, wanted)) : modules;
    setText(this.list.note, wanted ? `${count(found.length)} of ${count(modules.length)} imports` : "");
    const dearest = [...found].sort((a, b) => (b.bytes_self ?? b.time_self_ns ?? 0) - (a.bytes_self ?? a.time_self_ns ?? 0)).slice(0, ROWS_MAX);
    const most = (of: (row: ImportRow) => number | null) => dearest.reduce((most, row) => Math.max(most, of(row) ?? 0), 1);
    this.most = { bytes: most((row) => row.bytes_self), time: most((row) => row.time_self_ns) };
    this.table.emptyText = wanted ? "No import has that in its name or importer." : "Nothing was imported in this span.";
    this.table.update(dearest, found.length);
  }

  private drawChart(session: Session, frame: Frame, imports: Imports): void {
    this.box.draw(memorySpec(session, frame, this.window!, imports));
    this.key.replaceChildren(keyed(color("memory"), "memory of the process (RSS)"),
      ...(imports.total_bytes === null ? [] : [keyed(color("accent"), "kept by imports that had ended")]));
  }
}

/** Of memory, which may be less than before. */
function amount(value: number | null): string {
  return value === null ? UNKNOWN : `${value < 0 ? "−" : ""}${bytes(Math.abs(value))}`;
}

function weightText(weight: Weight, value: number): string {
  return weight === "bytes" ? bytes(value) : duration(value);
}

function figuresOf(imports: Imports, session: Session) {
  const failed = imports.modules.filter((row) => row.failed).length;
  const dearest = imports.modules.reduce<ImportRow | null>((most, row) => ((row.bytes_self ?? 0) > (most?.bytes_self ?? 0) ? row : most), null);
  const late = session.notes["imports.bytes"];
  return [
    { name: "Imports", value: count(imports.count), title: "That did not fail; what was loaded already is not among them" },
    { name: "Kept", value: imports.total_bytes === null ? UNKNOWN : amount(imports.total_bytes),
      title: late ? `Not known: ${late}` : "Allocated less freed by the importing threads, of CPython's allocators" },
    { name: "Time", value: duration(imports.total_ns), title: "Of all outermost imports" },
    { name: "Failed", value: count(failed), title: "Imports that raised an exception" },
    { name: "Dearest", value: dearest ? dearest.name : UNKNOWN, title: dearest ? `${bytes(dearest.bytes_self)} of its own` : "By its own memory" },
  ];
}

/** RSS, and beside it what imports keep: at each pixel what all that had ended by then do. */
function memorySpec(session: Session, frame: Frame, window: Range, imports: Imports): Spec {
  const { times, ...shared } = frameSpec(session, frame, window);
  const rss = Array.from(frame.values.rss_bytes ?? [], (value) => (Number.isNaN(value) ? null : value));
  const ends = keptOverTime(imports.modules);
  let at = 0;
  const kept = times.map((time_s) => {
    while (at < ends.length && unixSeconds(session, ends[at].at_ns) <= time_s) at += 1;
    return imports.total_bytes === null ? null : ends[at - 1]?.bytes ?? 0;
  });
  const value = (all: (number | null)[], index: number) => bytes(all[index]);
  const columns = [{ name: "RSS", values: rss }, ...(imports.total_bytes === null ? [] : [{ name: "kept by imports", values: kept }])];
  return {
    ...shared,
    key: `imports ${session.id}`,
    height: 200,
    data: [times, rss, kept],
    series: [
      { label: "RSS", stroke: color("memory"), width: 1.25, points: { show: false } },
      { label: "kept by imports", stroke: color("accent"), width: 1.5, points: { show: false } },
    ],
    yMin: 1 << 20,
    yBytes: true,
    yLabel: (value) => bytes(value).replace(/\.0+(?= )/, ""),
    summary: "Memory of the process over time, and what imports that had ended by then keep of it.",
    describe: (index) => columns.map(({ name, values }) => `${name} ${value(values, index)}`).join(", "),
    columns: columns.map(({ name, values }) => ({ name, values: values.map((each) => each ?? NaN), text: bytes })),
  };
}

function importTable(most: () => { bytes: number; time: number }): Table<ImportRow> {
  const by = (row: ImportRow) => importerOf(row) ?? UNKNOWN;
  return new Table<ImportRow>("imports", [
    { key: "name", label: "Module", title: "As it was asked for", text: (row) => row.name, sort: (row) => row.name,
      dress: (cell, row) => setText(cell, row.failed ? `${row.name} (failed)` : row.name) },
    { key: "by", label: "Imported by", title: "Module and line of the import", text: by, sort: by,
      dress: (cell, row) => {
        setText(cell, by(row));
        cell.title = [row.importer_function, row.importer_file].filter(Boolean).join(" in ");
      } },
    { key: "bytes_self", label: "Its own memory", title: "Kept, without the imports in it", numeric: true, text: (row) => amount(row.bytes_self), sort: (row) => row.bytes_self,
      dress: (cell, row) => bar(cell, amount(row.bytes_self), (row.bytes_self ?? 0) / most().bytes) },
    { key: "bytes", label: "Memory", title: "Kept, with the imports in it", numeric: true, text: (row) => amount(row.bytes), sort: (row) => row.bytes },
    { key: "peak", label: "At most", title: "Most that it had meanwhile", numeric: true, text: (row) => amount(row.peak_bytes), sort: (row) => row.peak_bytes },
    { key: "time_self", label: "Its own time", title: "Without the imports in it", numeric: true, text: (row) => duration(row.time_self_ns), sort: (row) => row.time_self_ns,
      dress: (cell, row) => bar(cell, duration(row.time_self_ns), (row.time_self_ns ?? 0) / most().time) },
    { key: "time", label: "Time", title: "With the imports in it", numeric: true, text: (row) => duration(row.time_ns), sort: (row) => row.time_ns },
    { key: "depth", label: "Depth", title: "Imports that it happened in", numeric: true, text: (row) => count(row.depth), sort: (row) => row.depth },
  ], "-bytes_self", "Nothing was imported in this span.");
}
