// The dashboard's one program: takes in what the socket says, draws the page that is looked at.

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { windowOf, type Context, type PageView } from "./context";
import { h, setText, show } from "./dom";
import { listen, showKeys, type Key } from "./keys";
import { CpuPage } from "./pages/cpu";
import { GilPage } from "./pages/gil";
import { OverviewPage } from "./pages/overview";
import { TargetsPage } from "./pages/targets";
import { askForMark } from "./parts/marks";
import { toast } from "./parts/toast";
import { Shell } from "./shell";
import { Socket, type Connection, type Subscription } from "./socket";
import { getView, onView, PAGES, setView } from "./state";
import { startTheme, toggleTheme } from "./theme";
import type { Parts, Session } from "./types";

/** A value for every second pixel: calm to look at, and half to draw. */
const PX_MAX = 1000;

startTheme();
let connection: Connection = { state: "connecting" };
let sessions: Session[] | null = null;
let parts: Parts = {};
/** When the newest figures came, to tell the time on the session's clock in between. */
let heard_ms = 0;
let drawing = false;

const keys: Key[] = [
  ...PAGES.map((page, index) => ({ key: String(index + 1), name: String(index + 1), what: `${page} page`, run: () => setView({ page }) })),
  { key: " ", name: "space", what: "pause, or go on with what is live", run: pause },
  { key: "m", name: "m", what: "mark this moment (while paused: the moment under the cursor)", run: mark },
  { key: "0", name: "0", what: "follow the newest data", run: () => setView({ range: null }) },
  { key: "[", name: "[", what: "previous session", run: () => step(-1) },
  { key: "]", name: "]", what: "next session", run: () => step(1) },
  { key: "t", name: "t", what: "light or dark", run: toggleTheme },
  { key: "?", name: "?", what: "this list", run: () => showKeys(keys) },
];

const shell = new Shell({ help: () => showKeys(keys), mark, pause });
const targets = new TargetsPage();
const cpu = new CpuPage();
const gil = new GilPage();
const pages: Record<string, PageView> = { overview: new OverviewPage(), cpu, gil };
const waiting = h("main", { class: "page" }, h("p", { class: "empty", role: "status" }));
const views = [waiting, targets.element, ...Object.values(pages).map((page) => page.element)];
document.getElementById("app")!.append(shell.element, ...views);

const socket = new Socket({
  connection: (next) => {
    connection = next;
    schedule();
  },
  sessions: (next) => {
    sessions = next;
    heard_ms = performance.now();
    subscribe();
    schedule();
  },
  part: (name, data) => {
    parts = { ...parts, [name]: data };
    schedule();
  },
  error: (text) => toast(text, true),
});

function current(): Session | null {
  const wanted = getView().session;
  const found = sessions?.find((session) => session.id === wanted);
  // Without a choice: the newest that still runs, else the newest.
  return found ?? sessions?.findLast((session) => !session.ended) ?? sessions?.at(-1) ?? null;
}

function subscribe(): void {
  const session = current();
  const view = getView();
  if (!session) return;
  const px = Math.max(100, Math.min(PX_MAX, (document.documentElement.clientWidth - 100) >> 1));
  const page = view.page === "targets" ? "overview" : view.page;
  const wanted: Subscription = { session: session.id, page, px };
  if (view.range) Object.assign(wanted, { from_ns: view.range.start_ns, to_ns: view.range.end_ns });
  else if (view.last_s > 0) wanted.last_ns = view.last_s * 1e9;
  socket.subscribe(wanted);
}

function schedule(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw(): void {
  const view = getView();
  const session = current();
  const live = parts.session && parts.session.id === session?.id ? parts.session : session;
  const context: Context | null =
    live && sessions ? { view, session: live, sessions, parts, window: windowOf(view, live) } : null;
  shell.drawSessions(sessions ?? [], session?.id ?? null);
  shell.draw(context, connection);
  document.title = context ? `${context.session.target.pid} ${view.page} · gilscope` : "gilscope";
  const ready = context && context.session.range.end_ns > context.session.range.start_ns;
  const page = view.page === "targets" ? null : ready ? pages[view.page] : null;
  const element = view.page === "targets" ? targets.element : page?.element ?? waiting;
  views.forEach((other) => show(other, other === element));
  if (element === waiting) setText(waiting.firstElementChild!, waitingText(context));
  if (element === targets.element) targets.draw(sessions ?? []);
  if (page && context) page.draw(context);
}

function waitingText(context: Context | null): string {
  if (context) return `Waiting for the first figures of process ${context.session.target.pid} …`;
  if (sessions) return "Nothing is watched yet. Attach to a process on the Targets page (4), or run `gilscope attach PID`.";
  return "Connecting to gilscope …";
}

function pause(): void {
  const session = current();
  if (!session) return;
  const window = windowOf(getView(), session);
  setView({ range: getView().range ? null : { start_ns: window.start_ns, end_ns: Math.round(window.end_ns) } });
}

function mark(): void {
  const session = current();
  if (!session) return;
  const view = getView();
  const chart = view.page === "gil" ? gil.chart : cpu.chart;
  const pointed = view.range ? chart.cursorTime() : null;
  const elapsed_ns = session.ended ? 0 : (performance.now() - heard_ms) * 1e6;
  const at_ns = pointed !== null ? (pointed - session.target.anchor_unix_ns / 1e9) * 1e9 : session.range.end_ns + elapsed_ns;
  askForMark(session, Math.max(0, at_ns));
}

function step(by: number): void {
  if (!sessions?.length) return;
  const place = sessions.findIndex((session) => session.id === current()?.id);
  const next = sessions[(place + by + sessions.length) % sessions.length];
  setView({ session: next.id, range: null });
}

onView((view, before) => {
  if (view.session !== before.session) parts = {};
  if (view.page === "targets" && before.page !== "targets") void targets.look();
  subscribe();
  schedule();
});
addEventListener("resize", subscribe);
setInterval(() => connection.state === "lost" && schedule(), 1000);
if (getView().page === "targets") void targets.look();
listen(keys);
socket.connect();
schedule();
