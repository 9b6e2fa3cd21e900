// The targets page: all sessions of this dashboard, the processes that could be one, and the recordings.

import "./targets.css";
import { attach, beginRecording, detach, endRecording, openRecording, processes, recordings, recordingUrl } from "../api";
import { stateText } from "../current";
import { h, setText, show } from "../dom";
import { baseName, bytes, clock, cores, count, duration, percent, UNKNOWN } from "../format";
import { panel, save } from "../parts/panel";
import { rowActions } from "../parts/rowactions";
import { Table, type Column } from "../parts/table";
import { toast } from "../parts/toast";
import { setView } from "../state";
import type { Folder, Process, RecordingFile, Session } from "../types";

/** Files grow and processes come and go; looking is cheap for the folder and not quite for processes. */
const FOLDER_EVERY_MS = 3000;
const PROCESSES_EVERY_MS = 10_000;

export class TargetsPage {
  readonly element = h("main", { class: "page" });
  private readonly sessions = new Table<Session>("sessions", this.sessionColumns(), "id",
    "Nothing is watched yet. Attach to a process below, or run `gilscope attach PID`.");
  private readonly found = new Table<Process>("processes", this.processColumns(), "pid",
    "No Python process runs here. Start one with `gilscope run -- python app.py`, or look again.");
  private readonly files = new Table<RecordingFile>("recordings", fileColumns(() => this.lookAtFolder()), "-time",
    "No recording is in this folder yet: press Record next to a session, or run `gilscope record PID -o FILE`.");
  private readonly processState = new State("Looking for Python processes …", () => this.lookAtProcesses());
  private readonly fileState = new State("Looking into the folder …", () => this.lookAtFolder());
  private readonly folderNote: HTMLElement;
  private shown: Session[] = [];
  private recorded: number[] = [];
  private known = "";

  constructor() {
    const watched = panel("Sessions");
    watched.body.append(this.sessions.element);
    const again = h("button", { type: "button", class: "quiet", title: "Look for Python processes again", click: () => void this.look() }, "Look again");
    const others = panel("Python processes on this machine", [again]);
    others.body.append(this.processState.element, this.found.element);
    const kept = panel("Recordings");
    kept.body.append(this.fileState.element, this.files.element);
    this.folderNote = kept.note;
    this.element.append(watched.element, others.element, kept.element);
    this.whileSeen(FOLDER_EVERY_MS, () => this.lookAtFolder());
    this.whileSeen(PROCESSES_EVERY_MS, () => this.lookAtProcesses());
  }

  /** Looks now and then, as long as somebody sees it. */
  private whileSeen(every_ms: number, look: () => Promise<void>): void {
    setInterval(() => {
      if (!this.element.hidden && !document.hidden) void look();
    }, every_ms);
  }

  draw(sessions: Session[]): void {
    this.shown = sessions;
    this.sessions.update(sessions);
    const known = JSON.stringify(sessions.map((session) => [session.id, session.ended !== null]));
    if (known === this.known) return;
    const first = this.known === "";
    this.known = known;
    if (!first) void this.look(); // who can be attached, and what is recorded, has changed with it
  }

  /** Asks for processes and recordings; called when the page is opened, since looking costs something. */
  async look(): Promise<void> {
    await Promise.all([this.lookAtProcesses(), this.lookAtFolder()]);
  }

  private async lookAtProcesses(): Promise<void> {
    const found = await this.processState.during(processes);
    show(this.found.element, found !== null);
    if (found) this.found.update(found);
  }

  private async lookAtFolder(): Promise<void> {
    const folder: Folder | null = await this.fileState.during(recordings);
    show(this.files.element, folder !== null);
    if (!folder) return;
    this.recorded = folder.recorded;
    setText(this.folderNote, folder.folder && `in ${folder.folder}`);
    this.folderNote.title = folder.folder;
    this.files.update(folder.files, folder.files.length + folder.left_out);
    this.sessions.update(this.shown);
  }

  private processColumns(): Column<Process>[] {
    return [
      { key: "attach", label: "", title: "Attach", text: () => "", sort: () => 0,
        dress: (cell, row) => rowActions(cell, `${row.pid} ${row.session}`, row.obstacle ? [] : [row.session === null
          ? { label: "Attach", title: `Watch process ${row.pid}; it goes on as it is`, busy: "Attaching …", primary: true,
            run: async () => {
              open((await attach(row.pid)).session);
              toast(`Attached to ${row.pid}.`);
            } }
          : { label: "Open", title: "It is watched already", busy: "Open", run: () => open(row.session!) }]) },
      { key: "pid", label: "PID", title: "Process id", numeric: true, text: (row) => String(row.pid), sort: (row) => row.pid },
      { key: "python", label: "Python", title: "CPython's version", text: (row) => row.python_version ?? UNKNOWN, sort: (row) => row.python_version },
      { key: "threads", label: "Threads", title: "Threads now", numeric: true, text: (row) => count(row.n_threads), sort: (row) => row.n_threads },
      { key: "command", label: "Command", title: "As it was started", text: (row) => row.cmdline.join(" "), sort: (row) => row.cmdline.join(" "),
        dress: (cell, row) => titled(cell, row.cmdline.join(" ")) },
      { key: "obstacle", label: "What is in the way", title: "As `gilscope doctor PID` says it", text: (row) => row.obstacle ?? "", sort: (row) => row.obstacle,
        dress: (cell, row) => {
          cell.classList.add("obstacle");
          setText(cell, row.obstacle ?? "");
        } },
    ];
  }

  private sessionColumns(): Column<Session>[] {
    const numeric = true;
    return [
      { key: "id", label: "#", title: "Number of the session", numeric, text: (row) => String(row.id), sort: (row) => row.id },
      { key: "name", label: "Target", title: "Open its overview", text: sessionName, sort: sessionName,
        dress: (cell, row) => {
          if (cell.textContent === sessionName(row) && cell.dataset.id === String(row.id)) return;
          cell.dataset.id = String(row.id);
          cell.replaceChildren(h("button", { type: "button", class: "link", click: () => open(row.id) }, sessionName(row)));
        } },
      { key: "state", label: "State", title: "Running, or why it ended", text: stateText, sort: stateText,
        dress: (cell, row) => {
          titled(cell, this.isRecorded(row) ? "running, recorded" : stateText(row));
          cell.classList.toggle("dim", row.ended !== null);
          cell.classList.toggle("recording-now", this.isRecorded(row));
        } },
      { key: "actions", label: "", title: "Record or leave the process", text: () => "", sort: () => 0,
        dress: (cell, row) => rowActions(cell, String(row.id), row.ended ? [] : [this.recordAction(row), {
          label: "Detach", title: `Leave process ${row.target.pid}; it goes on`, busy: "Leaving …",
          run: async () => {
            await detach(row.id);
            toast(`Left process ${row.target.pid}; it goes on.`);
          },
        }]) },
      { key: "python", label: "Python", title: "CPython's version", text: (row) => row.target.python_version || UNKNOWN, sort: (row) => row.target.python_version },
      { key: "cpu", label: "CPU", title: "Cores over the last 5 s", numeric, text: (row) => cores(row.cpu_cores), sort: (row) => row.cpu_cores },
      { key: "gil", label: "GIL held", title: "Over the last 5 s", numeric, text: (row) => percent(row.gil_utilization), sort: (row) => row.gil_utilization },
      { key: "threads", label: "Threads", title: "Alive", numeric, text: (row) => count(row.n_threads_alive), sort: (row) => row.n_threads_alive },
      { key: "rss", label: "RSS", title: "Memory in RAM", numeric, text: (row) => bytes(row.rss_bytes), sort: (row) => row.rss_bytes },
      { key: "watched", label: "Watched", title: "For how long", numeric, text: (row) => duration(row.range.end_ns - row.range.start_ns), sort: (row) => row.range.end_ns - row.range.start_ns },
      { key: "lost", label: "Lost", title: "Single events lost", numeric, text: (row) => count(row.events_lost), sort: (row) => row.events_lost },
    ];
  }

  private isRecorded(session: Session): boolean {
    return !session.ended && this.recorded.includes(session.id);
  }

  private recordAction(session: Session) {
    const done = async (text: string) => {
      await this.lookAtFolder();
      toast(text);
    };
    return this.isRecorded(session)
      ? { label: "Stop recording", title: "Complete the recording; watching goes on", busy: "Stopping …",
        run: async () => {
          const { name } = await endRecording(session.id);
          await done(name ? `Recorded to ${name}.` : "The recording is complete.");
        } }
      : { label: "Record", title: "Write all from now on, and the totals so far, to a file in the folder below", busy: "Starting …",
        run: async () => done(`Recording to ${(await beginRecording(session.id)).name}.`) };
  }
}

/** What stands in a table's place until its rows are there, or why they are not. */
class State {
  readonly element = h("div", { class: "targets-state", role: "status" });
  private readonly text = h("span");
  private readonly again: HTMLButtonElement;

  constructor(private readonly loading: string, again: () => Promise<void>) {
    this.again = h("button", { type: "button", class: "quiet", click: () => void again() }, "Try again");
    this.element.append(this.text, this.again);
    this.say(loading, false);
  }

  /** The answer, or null and its error on show. Only the first wait is told: tables do not blink. */
  async during<T>(ask: () => Promise<T>): Promise<T | null> {
    if (this.element.classList.contains("failed")) this.say(this.loading, false);
    try {
      const answer = await ask();
      show(this.element, false);
      return answer;
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), true);
      return null;
    }
  }

  private say(text: string, failed: boolean): void {
    setText(this.text, text);
    show(this.again, failed);
    this.element.classList.toggle("failed", failed);
    show(this.element, true);
  }
}

function fileColumns(changed: () => Promise<void>): Column<RecordingFile>[] {
  const of = (row: RecordingFile) => (row.cmdline === null ? UNKNOWN : `${scriptName(row.cmdline)} · ${row.pid}`);
  const when = (row: RecordingFile) => `${new Date(row.modified_unix_ns / 1e6).toLocaleDateString("en-CA")} ${clock(row.modified_unix_ns / 1e9)}`;
  return [
    { key: "name", label: "File", title: "Name in the folder", text: (row) => row.name, sort: (row) => row.name,
      dress: (cell, row) => {
        titled(cell, row.name);
        cell.classList.toggle("recording-now", row.recording !== null);
      } },
    { key: "actions", label: "", title: "Open or download", text: () => "", sort: () => 0,
      dress: (cell, row) => rowActions(cell, `${row.name} ${row.session} ${row.recording}`, row.recording !== null ? [] : [
        { label: "Open", title: "Show it on these pages", busy: "Opening …",
          run: async () => {
            const { session } = await openRecording(row.name);
            await changed();
            open(session, 0);
          } },
        { label: "Download", title: "Save the file", busy: "Fetching …", run: () => save(recordingUrl(row.name), row.name) },
      ]) },
    { key: "of", label: "Recording of", title: "Program and process id", text: of, sort: of,
      dress: (cell, row) => titled(cell, row.recording !== null && row.cmdline === null ? "being written" : of(row)) },
    { key: "bytes", label: "Size", title: "Bytes of the file", numeric: true, text: (row) => bytes(row.bytes), sort: (row) => row.bytes },
    { key: "time", label: "Written", title: "When it was changed last", text: when, sort: (row) => row.modified_unix_ns },
  ];
}

function open(session: number, last_s?: number): void {
  setView({ session, page: "overview", range: null, ...(last_s === undefined ? {} : { last_s }) });
}

function titled(cell: HTMLElement, text: string): void {
  setText(cell, text);
  if (cell.title !== text) cell.title = text;
}

function scriptName(cmdline: string[], executable = ""): string {
  const [program, ...rest] = cmdline;
  const script = rest.findIndex((part) => !part.startsWith("-"));
  if (rest[script - 1] === "-c") return `${baseName(program)} -c`; // a program is no name
  return baseName(rest[script] ?? program ?? executable) || "process";
}

/** What a session is called where there is little room: the script, and the pid. */
export function sessionName(session: Session): string {
  return `${scriptName(session.target.cmdline, session.target.executable)} · ${session.target.pid}`;
}
