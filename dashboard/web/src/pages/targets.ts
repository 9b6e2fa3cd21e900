// The targets page: all sessions of this dashboard, and the processes that could be one.

import { attach, detach, processes } from "../api";
import { h, setText } from "../dom";
import { bytes, cores, count, duration, percent, UNKNOWN } from "../format";
import { panel } from "../parts/panel";
import { Table, type Column } from "../parts/table";
import { attempt } from "../parts/toast";
import { setView } from "../state";
import type { Process, Session } from "../types";

export class TargetsPage {
  readonly element = h("main", { class: "page" });
  private readonly sessions = new Table<Session>("sessions", sessionColumns(), "id",
    "Nothing is watched yet. Attach to a process below, or run `gilscope attach PID`.");
  private readonly found: Table<Process>;
  private readonly reason = h("p", { class: "hint" });

  constructor() {
    this.found = new Table<Process>("processes", this.processColumns(), "pid", "No Python process was found.");
    const watched = panel("Sessions");
    watched.body.append(this.sessions.element);
    const again = h("button", { type: "button", class: "quiet", click: () => void this.look() }, "Look again");
    const others = panel("Python processes on this machine", [again]);
    others.body.append(this.found.element, this.reason);
    this.element.append(watched.element, others.element);
  }

  draw(sessions: Session[]): void {
    this.sessions.update(sessions);
  }

  /** Asks for the processes; called when the page is opened, since looking costs something. */
  async look(): Promise<void> {
    try {
      this.found.update(await processes());
      this.found.element.hidden = false;
      setText(this.reason, "");
    } catch (error) {
      this.found.element.hidden = true;
      setText(this.reason, error instanceof Error ? error.message : String(error));
    }
  }

  private processColumns(): Column<Process>[] {
    return [
      { key: "pid", label: "PID", title: "Process id", numeric: true, text: (row) => String(row.pid), sort: (row) => row.pid },
      { key: "python", label: "Python", title: "CPython's version", text: (row) => row.python_version ?? UNKNOWN, sort: (row) => row.python_version },
      { key: "threads", label: "Threads", title: "Threads now", numeric: true, text: (row) => count(row.n_threads), sort: (row) => row.n_threads },
      { key: "command", label: "Command", title: "As it was started", text: (row) => row.cmdline.join(" "), sort: (row) => row.cmdline.join(" ") },
      { key: "attach", label: "", title: "Attach", text: () => "", sort: () => 0,
        dress: (cell, row) => {
          if (row.obstacle) return void setText(cell, row.obstacle);
          action(cell, row.session === null ? "Attach" : "Open", () =>
            row.session === null
              ? attempt(async () => open((await attach(row.pid)).session), `Attached to ${row.pid}.`)
              : open(row.session));
        } },
    ];
  }
}

function open(session: number): void {
  setView({ session, page: "overview", range: null });
}

/** One button in a cell, made anew only if what it does changed. */
function action(cell: HTMLTableCellElement, label: string, click: () => void): void {
  cell.replaceChildren(h("button", { type: "button", class: "quiet", click }, label));
}

function sessionColumns(): Column<Session>[] {
  const numeric = true;
  return [
    { key: "id", label: "#", title: "Number of the session", numeric, text: (row) => String(row.id), sort: (row) => row.id },
    { key: "name", label: "Target", title: "Open its overview", text: sessionName, sort: sessionName,
      dress: (cell, row) => {
        if (cell.textContent === sessionName(row) && cell.dataset.id === String(row.id)) return;
        cell.dataset.id = String(row.id);
        cell.replaceChildren(h("button", { type: "button", class: "link", click: () => open(row.id) }, sessionName(row)));
      } },
    { key: "state", label: "State", title: "Running, or why it ended", text: state, sort: state,
      dress: (cell, row) => {
        setText(cell, state(row));
        cell.classList.toggle("dim", row.ended !== null);
      } },
    { key: "python", label: "Python", title: "CPython's version", text: (row) => row.target.python_version || UNKNOWN, sort: (row) => row.target.python_version },
    { key: "cpu", label: "CPU", title: "Cores over the last 5 s", numeric, text: (row) => cores(row.cpu_cores), sort: (row) => row.cpu_cores },
    { key: "gil", label: "GIL held", title: "Over the last 5 s", numeric, text: (row) => percent(row.gil_utilization), sort: (row) => row.gil_utilization },
    { key: "threads", label: "Threads", title: "Alive", numeric, text: (row) => count(row.n_threads_alive), sort: (row) => row.n_threads_alive },
    { key: "rss", label: "RSS", title: "Memory in RAM", numeric, text: (row) => bytes(row.rss_bytes), sort: (row) => row.rss_bytes },
    { key: "watched", label: "Watched", title: "For how long", numeric, text: (row) => duration(row.range.end_ns - row.range.start_ns), sort: (row) => row.range.end_ns - row.range.start_ns },
    { key: "lost", label: "Lost", title: "Single events lost", numeric, text: (row) => count(row.events_lost), sort: (row) => row.events_lost },
    { key: "detach", label: "", title: "Leave the process", text: () => "", sort: () => 0,
      dress: (cell, row) => {
        const wanted = row.ended ? "" : `detach ${row.id}`;
        if (cell.dataset.action === wanted) return;
        cell.dataset.action = wanted;
        if (!wanted) return void cell.replaceChildren();
        action(cell, "Detach", () => void attempt(() => detach(row.id), `Left process ${row.target.pid}; it goes on.`));
      } },
  ];
}

function state(session: Session): string {
  return session.ended ? `ended: ${session.ended.reason}` : "running";
}

/** What a session is called where there is little room: the script, and the pid. */
export function sessionName(session: Session): string {
  const [program, ...rest] = session.target.cmdline;
  const script = rest.find((part) => !part.startsWith("-")) ?? program ?? session.target.executable;
  return `${script.slice(script.lastIndexOf("/") + 1) || "process"} · ${session.target.pid}`;
}
