// What the server sends, as `dashboard/src/view` and `store/answers.rs` write it. Times are ns of the
// session's clock unless a name says `unix`.

export type Page = "overview" | "cpu" | "gil" | "states" | "frames" | "imports" | "targets" | "experiments";

export interface Range { start_ns: number; end_ns: number }
/** A range of a session. */
export interface Pin extends Range { session: number }
export interface Mark { id: number; name: string; at_ns: number }

export interface Target {
  pid: number;
  python_version: string;
  executable: string;
  cmdline: string[];
  free_threaded: boolean | null;
  method: string;
  started_unix_ns: number;
  anchor_unix_ns: number;
  host: string;
  n_cpus: number;
}

export interface Session {
  id: number;
  target: Target;
  range: Range;
  marks: Mark[];
  /** `how`: the process went on if it was "detached" or the "recording stopped"; "cut off": not known; else "ended". */
  ended: { at_ns: number; reason: string; how: string } | null;
  notes: Record<string, string>;
  events_lost: number;
  lost_by_cause: Record<string, number>;
  n_threads: number;
  n_threads_alive: number;
  rss_bytes: number | null;
  gil_utilization: number | null;
  cpu_cores: number | null;
}

export type BandOf = { main: number } | { thread: number } | { more: number } | "exited";
/** What a band is made of; `runnable_ns` comes on top of its CPU. Null: not known. */
export interface BandParts { holding_ns: number; running_ns: number; unknown_ns: number; runnable_ns: number | null }
export interface Band { of: BandOf; name: string; cpu_ns: number; parts?: BandParts }

/** A binary message: value i of each column stands for `start_ns + i * step_ns`. */
export interface Frame {
  part: "cpu" | "gil" | "process" | "states" | "frames";
  session: number;
  range?: Range;
  start_ns?: number;
  step_ns?: number;
  count: number;
  columns: string[];
  bands?: Band[];
  values: Record<string, Float32Array>;
}

export interface GilTotals {
  range: Range;
  held_ns: number;
  free_ns: number;
  waited_ns: number;
  handoffs: number;
  drop_requests: number;
  acquires: number;
  acquires_contended: number;
  acquires_timed: number;
  releases_voluntary: number;
  releases_forced: number;
}

export interface Distribution {
  count: number;
  sum_ns: number;
  p50_ns: number | null;
  p95_ns: number | null;
  p99_ns: number | null;
  max_ns: number | null;
  max_is_bound: boolean;
  buckets: { low_ns: number; high_ns: number; count: number }[];
}

export interface Histograms {
  range: Range;
  hold: Distribution;
  wait: Distribution;
  drop_to_release: Distribution;
  wake: Distribution;
}

export interface ThreadRow {
  key: number;
  thread_id: number;
  name: string;
  is_main: boolean;
  kind: "python" | "foreign" | "native";
  alive: boolean;
  cpu: {
    cpu_ns: number; cpu_user_ns: number; cpu_system_ns: number; runqueue_ns: number;
    switches_voluntary: number; switches_forced: number;
  } | null;
  /** The part of `cpu_ns` with the GIL, and the part of which that is not known. */
  cpu_parts: { holding_ns: number; unknown_ns: number } | null;
  gil: {
    acquires: number; acquires_contended: number; releases_voluntary: number; releases_forced: number;
    drop_requests_received: number; hold_ns: number; wait_ns: number; wait_free_ns: number;
    wait_inflicted_ns: number;
  } | null;
  class: "io" | "cpu" | "idle" | null;
}

export interface BlameRow {
  thread: number;
  thread_id: number;
  thread_name: string;
  function: string | null;
  file: string | null;
  line: number | null;
  waits: number;
  samples: number;
  wait_inflicted_ns: number;
  native_module: string | null;
}

/** Where what a finding claims can be seen. */
export interface Evidence { page: Page; thread: number | null; thread_name: string | null; function: string | null }

/** One thing that stands out; `cost` is in threads' worth of time. */
export interface Finding { rule: string; text: string; remedy: string; cost: number; evidence: Evidence }

/** What gilscope itself takes, here and in the target. */
export interface Cost {
  daemon_cpu_cores: number | null;
  daemon_rss_bytes: number | null;
  mapped_bytes: number | null;
  cycles_per_s: number | null;
  hook_ns_per_cycle: number;
  hook_cores_estimate: number | null;
}

/** Frames of one kind, as a census found them. */
export interface FrameModule { module: string; count: number; bytes: number }
export interface FrameFunction { function: string; file: string; line: number; count: number; bytes: number }
export interface FramesHeld {
  count: number;
  bytes: number;
  called_once: { count: number; bytes: number } | null;
  by_module: FrameModule[];
  top: FrameFunction[];
}
export interface FrameThread { thread_id: number; name: string; chunks: number; bytes: number; used_bytes: number; resident_bytes: number | null }

/** What the interpreter holds for frames: the section `frames` of the report. */
export interface FramesKept {
  model: "zombie" | "chunk";
  at_ns: number;
  idle_bytes: number | null;
  resident_bytes: number | null;
  zombies: FramesHeld | null;
  free_list: { count: number; bytes: number } | null;
  pinned: { pools: number; pools_alone: number; arenas: number } | null;
  chunks: { count: number; bytes: number; used_bytes: number; idle_bytes: number | null; cached_bytes: number | null; resident_bytes: number | null } | null;
  threads_unread: number;
  threads: FrameThread[];
  suspended: FramesHeld | null;
  exhausted: FramesHeld | null;
  escaped: FramesHeld | null;
  census: { at_ns: number; took_ns: number; looked_at_bytes: number; swapped_bytes: number; gil_held_ns: number } | null;
}

/** One import; `parent` is the place in the list of the one that it happened in. */
export interface ImportRow {
  name: string;
  importer: string | null;
  importer_function: string | null;
  importer_file: string | null;
  importer_line: number | null;
  thread_id: number;
  at_ns: number;
  depth: number;
  parent: number | null;
  time_ns: number | null;
  time_self_ns: number | null;
  bytes: number | null;
  bytes_self: number | null;
  peak_bytes: number | null;
  failed: boolean;
}

/** What was imported: the section `imports` of the report. */
export interface Imports { count: number; total_bytes: number | null; total_ns: number; modules: ImportRow[] }

/** A remedy on trial; rows are [figure, before, after, change], as the report shows them. */
export interface Experiment {
  remedy: string;
  setting: string;
  at_ns: number;
  undone_ns: number | null;
  rows: string[][];
}

export interface HandoffRow { from: number; to: number; count: number; wait_ns: number }

export interface Rows<T> { rows: T[]; n_rows: number }

export interface Process {
  pid: number;
  python_version: string | null;
  n_threads: number;
  cmdline: string[];
  session: number | null;
  obstacle: string | null;
}

export type FigureUnit = "share" | "ns" | "per_second" | "cores" | "threads" | "bytes" | "count";

export interface FigureChange {
  name: string;
  title: string;
  unit: FigureUnit;
  before: number | null;
  after: number | null;
  difference: number | null;
  change: number | null;
  /** Why either is not known, or what of it is not. */
  before_note: string | null;
  after_note: string | null;
}

export interface ThreadFigures {
  threads: number;
  cpu_cores: number | null;
  /** Threads that are not in `cpu_cores`. */
  unsampled: number;
  hold_share: number | null;
  wait_share: number | null;
  inflicted_share: number | null;
}

export interface ThreadChange { name: string; before: ThreadFigures | null; after: ThreadFigures | null }

export interface Span { pid: number; command: string; start_unix_ns: number; duration_ns: number }

export interface Comparison { before: Span; after: Span; figures: FigureChange[]; threads: ThreadChange[] }

/** A file in the folder of recordings. */
export interface RecordingFile {
  name: string;
  bytes: number;
  modified_unix_ns: number;
  pid: number | null;
  cmdline: string[] | null;
  /** The session that is being recorded to it now. */
  recording: number | null;
  /** The session that shows it. */
  session: number | null;
}

export interface Folder { folder: string; files: RecordingFile[]; left_out: number; recorded: number[] }

/** What calls for thread states did: of fresh and made states, and, from `kept_cycles` on, of kept ones. */
export interface StateCounters {
  fresh: number; kept: number; nested: number; made: number; fresh_deleted: number; deleted: number;
  threads: number; unseen_fresh: number; unseen_other: number; maps: number; unmaps: number;
  cycles: number; create_ns: number; gil_wait_ns: number; run_ns: number; chunk_ns: number; delete_ns: number;
  kept_cycles: number; kept_create_ns: number; kept_gil_wait_ns: number; kept_run_ns: number; kept_delete_ns: number;
}

export interface CallerRow extends StateCounters { caller: number; module: string; function: string | null }

export interface StateTotals { range: Range; all: StateCounters; live_temporary: number; calibrated_kept_ns: number | null; callers: CallerRow[] }

/** The newest of each part for the view that is shown. */
export interface Parts {
  session?: Session;
  cpu?: Frame;
  gil?: Frame;
  process?: Frame;
  frames?: Frame;
  kept?: FramesKept | null;
  imports?: Imports | null;
  totals?: GilTotals | null;
  findings?: Finding[];
  cost?: Cost;
  histograms?: Histograms | null;
  threads?: Rows<ThreadRow>;
  blame?: Rows<BlameRow>;
  handoffs?: Rows<HandoffRow>;
  states?: Frame;
  callers?: StateTotals | null;
}
