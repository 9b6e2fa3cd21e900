//! The tables of a recording, as SQL. The comments travel in the file: `sqlite3 F .schema`.
//!
//! Times (`at_ns`) are ns since `target.anchor_unix_ns`. Cumulative figures are marked so; all others
//! in `rollups` and `gil` are what came on top since the row before.

/// "GILS": what `file` and SQLite call `application_id`.
pub const APPLICATION_ID: i64 = 0x4749_4C53;

/// Goes up when a table or the encoding of a chunk changes; there is a test on that.
pub const FORMAT_VERSION: i64 = 5;

/// What the tables and the encoding of a batch look like, as a digest; in `meta`, since a build between two
/// versions may have another one under the same number. A test says what it has to be.
pub const LAYOUT: &str = "f601b7fd1727747b";

/// From this version on chunks say when their events were.
pub const FORMAT_WITH_EVENT_TIMES: i64 = 3;

/// From this version on the file tells its layout; before, builds of one version could differ.
pub const FORMAT_WITH_LAYOUT: i64 = 5;

/// From this version on batches have what is kept for frames.
pub const FORMAT_WITH_FRAMES: i64 = 4;

/// See the module's text.
pub const TABLES: &str = "
CREATE TABLE meta (          -- about the file: 'gilscope_version', 'layout', 'finished' ('yes' after a clean end)
    key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE target (        -- one row: who was watched
    pid INTEGER, python_version TEXT, executable TEXT,
    cmdline TEXT,            -- JSON array
    free_threaded INTEGER,   -- 0, 1 or NULL: unknown
    method TEXT, started_unix_ns INTEGER, anchor_unix_ns INTEGER, host TEXT, n_cpus INTEGER,
    ended_ns INTEGER, ended_reason TEXT);  -- NULL while it runs
CREATE TABLE threads (
    thread_key INTEGER PRIMARY KEY,  -- never reused, unlike thread_id
    thread_id INTEGER, name TEXT, is_main INTEGER,
    kind TEXT,               -- 'python', 'foreign' or 'native'
    alive INTEGER, first_seen_ns INTEGER, ended_ns INTEGER);
CREATE TABLE marks (id INTEGER PRIMARY KEY, name TEXT, at_ns INTEGER);
CREATE TABLE changes (       -- remedies put on the target (is_on 1) and taken back (0)
    at_ns INTEGER, remedy TEXT, setting TEXT, is_on INTEGER, PRIMARY KEY (at_ns, remedy)) WITHOUT ROWID;
CREATE TABLE codes (code INTEGER PRIMARY KEY, function TEXT, file TEXT, first_line INTEGER);
CREATE TABLE notes (section TEXT PRIMARY KEY, reason TEXT) WITHOUT ROWID;
CREATE TABLE lost (          -- events lost, cumulative
    cause TEXT PRIMARY KEY, events INTEGER) WITHOUT ROWID;
CREATE TABLE process (       -- about one row a second
    at_ns INTEGER PRIMARY KEY,
    cpu_ns INTEGER,          -- cumulative since the process began
    exited_cpu_ns INTEGER,   -- part of it that no sampled thread accounts for
    rss_bytes INTEGER, uss_bytes INTEGER, threads INTEGER, host_cpu_ratio REAL);
CREATE TABLE gil (           -- about one row a second: held_ns + free_ns = time since the row before
    at_ns INTEGER PRIMARY KEY, held_ns INTEGER, free_ns INTEGER, waited_ns INTEGER,
    handoffs INTEGER, drop_requests INTEGER, acquires INTEGER, acquires_contended INTEGER,
    releases_voluntary INTEGER, releases_forced INTEGER);
CREATE TABLE rollups (       -- about one row a second and thread that did something
    at_ns INTEGER, thread_key INTEGER, cpu_ns INTEGER, acquires INTEGER,
    acquires_contended INTEGER, hold_ns INTEGER, wait_ns INTEGER, wait_inflicted_ns INTEGER,
    releases_forced INTEGER, PRIMARY KEY (at_ns, thread_key)) WITHOUT ROWID;
CREATE TABLE frames (        -- about one row a second: what is held for frames; NULL is unknown, or not in this model
    at_ns INTEGER PRIMARY KEY,
    model TEXT,              -- 'zombie' (up to 3.10) or 'chunk'
    chunks INTEGER, chunk_bytes INTEGER, chunk_used_bytes INTEGER, chunk_cached_bytes INTEGER,
    chunk_resident_bytes INTEGER,
    zombies INTEGER, zombie_bytes INTEGER, free_list INTEGER, free_list_bytes INTEGER);
CREATE TABLE imports (       -- what went to the interpreter's importer, in the order in which it began
    number INTEGER PRIMARY KEY, parent INTEGER,  -- NULL: in no other import
    name TEXT, importer TEXT, function TEXT, file TEXT, line INTEGER,  -- NULL is unknown, here and below
    thread_id INTEGER, at_ns INTEGER, time_ns INTEGER,  -- imports in it included, as for bytes
    bytes INTEGER, peak_bytes INTEGER, failed INTEGER);
CREATE TABLE chunks (        -- the batches themselves: zstd of postcard of a list of them
    id INTEGER PRIMARY KEY, first_ns INTEGER, last_ns INTEGER, batches INTEGER,
    events INTEGER,          -- single events in it; of them the first began and the last ended:
    events_from_ns INTEGER, events_to_ns INTEGER,  -- NULL without events
    data BLOB);
CREATE TABLE state (         -- at most one row: what gilscope knows after that chunk, to open at once
    id INTEGER PRIMARY KEY, version INTEGER, chunk INTEGER, data BLOB);
CREATE INDEX chunks_by_time ON chunks (last_ns);
CREATE INDEX chunks_by_events ON chunks (events_to_ns, events_from_ns, events) WHERE events > 0;
";
