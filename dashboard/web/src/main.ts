// The dashboard's one program: takes in what the socket says, draws the page that is looked at.

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { announce } from "./announce";
import { windowOf, type Context, type PageView } from "./context";
import { again, chosen, isSame } from "./current";
import { cursor } from "./cursor";
import { h, show } from "./dom";
import { addKeys, explainKeys, listen, showKeys } from "./keys";
import { CpuPage } from "./pages/cpu";
import { ExperimentsPage } from "./pages/experiments";
import { FramesPage } from "./pages/frames";
import { GilPage } from "./pages/gil";
import { ImportsPage } from "./pages/imports";
import { OverviewPage } from "./pages/overview";
import { StatesPage } from "./pages/states";
import { TargetsPage } from "./pages/targets";
import { askForMark } from "./parts/marks";
import { toast } from "./parts/toast";
import { Waiting } from "./parts/waiting";
import { Seen } from "./seen";
import { Shell } from "./shell";
import { Socket, type Connection, type Subscription } from "./socket";
import * as span from "./span";
import { getView, onView, PAGES, setView } from "./state";
import { onTheme, startTheme, toggleTheme } from "./theme";
import type { Parts, Session } from "./types";

/** A value for every second pixel: calm to look at, and half to draw. */
const PX_MAX = 1000;

startTheme();
let connection: Connection = { state: "connecting" };
let sessions: Session[] | null = null;
let parts: Parts = {};
/** The session that was shown last. */
let followed: Session | null = null;
/** When the newest figures came, to tell the time on the session's clock in between. */
let heard_ms = 0;
let drawing = false;
/** What the page was drawn of last. */
const drawn = new Seen();

const shell = new Shell({ help: showKeys, mark, pause: () => withSession(span.pause) });
const targets = new TargetsPage();
const pages: Record<string, PageView> = { overview: new OverviewPage(), cpu: new CpuPage(), gil: new GilPage(), states: new StatesPage(), frames: new FramesPage(), imports: new ImportsPage(), experiments: new ExperimentsPage() };
Object.entries(pages).forEach(([name, page]) => { page.element.dataset.page = name; });
const waiting = new Waiting();
const views = [waiting.element, targets.element, ...Object.values(pages).map((page) => page.element)];
const skip = h("a", { class: "skip", href: "#content", click: (event: Event) => {
  event.preventDefault();
  views.find((view) => !view.hidden)?.querySelector<HTMLElement>("[tabindex], button, a, select, input")?.focus();
} }, "Skip to the page");
shell.element.prepend(skip);
document.getElementById("app")!.append(shell.element, h("div", { id: "content" }, ...views));

const socket = new Socket({
  connection: (next) => {
    const lost = connection.state === "lost" || connection.state === "denied";
    if (next.state === "connecting" && lost) return; // still lost until it is open
    if (next.state === "open" && lost) toast("Connected again; this is live.");
    connection = next;
    schedule();
  },
  sessions: (next) => {
    sessions = next;
    heard_ms = performance.now();
    // A gilscope that has only just started may have no session yet.
    if (followed && next.length > 0) follow(followed, next);
    followed = current() ?? followed;
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
  return chosen(sessions ?? [], getView().session);
}

/** Stays with the process if the server was started anew: its numbers and clocks are others then. */
function follow(before: Session, next: Session[]): void {
  if (next.some((session) => isSame(before, session))) return;
  parts = {};
  const found = again(before, next);
  toast(found ? "gilscope was started anew; this is the same process." : "gilscope was started anew and watches other processes.");
  setView({ session: found?.id ?? null, range: null, select: null, pin: null });
}

function withSession(action: (session: Session) => void): void {
  const session = current();
  if (session) action(session);
}

function subscribe(): void {
  const session = current();
  const view = getView();
  if (!session) return;
  const px = Math.max(100, Math.min(PX_MAX, (document.documentElement.clientWidth - 100) >> 1));
  const page = view.page === "targets" || view.page === "experiments" ? "overview" : view.page;
  const wanted: Subscription = { session: session.id, page, px };
  if (view.range) Object.assign(wanted, { from_ns: view.range.start_ns, to_ns: view.range.end_ns });
  else if (view.last_s > 0) wanted.last_ns = view.last_s * 1e9;
  if (view.select) wanted.select = view.select;
  if (view.split) wanted.split = true;
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

function contextOf(session: Session | null): Context | null {
  const view = getView();
  const live = parts.session && parts.session.id === session?.id ? parts.session : session;
  if (!live || !sessions) return null;
  const window = windowOf(view, live);
  return { view, session: live, sessions, parts, window, tables: view.select ?? window };
}

function draw(): void {
  const view = getView();
  const session = current();
  const context = contextOf(session);
  shell.drawSessions(sessions ?? [], session?.id ?? null);
  shell.draw(context, connection);
  document.title = context ? `${context.session.target.pid} ${view.page} · gilscope` : "gilscope";
  const wanted = view.page === "targets" ? null : pages[view.page];
  const ready = context && context.session.range.end_ns > context.session.range.start_ns;
  const page = ready && wanted && wanted.needs in parts ? wanted : null;
  const element = view.page === "targets" ? targets.element : page?.element ?? waiting.element;
  views.forEach((other) => show(other, other === element));
  if (element === waiting.element) waiting.draw(context, sessions, connection);
  if (element === targets.element) targets.draw(sessions ?? []);
  if (drawn.isNew([element, view, parts, context?.session]) && page && context) page.draw(context);
}

/** Draws anew even if figures are the same: in other colours, or another size. */
function redraw(): void {
  drawn.forget();
  schedule();
}

function mark(): void {
  withSession((session) => {
    const elapsed_ns = session.ended ? 0 : (performance.now() - heard_ms) * 1e6;
    const at_s = getView().range ? cursor() : null;
    askForMark(session, at_s === null ? session.range.end_ns + elapsed_ns : span.sessionNs(session, at_s));
  });
}

function toMark(by: 1 | -1): void {
  withSession((session) => {
    const found = span.goToMark(session, by);
    const text = found ? `Mark ${found.name}` : session.marks.length ? "No further mark." : "No marks yet; press m to set one.";
    if (found) announce(text);
    else toast(text);
  });
}

function step(by: number): void {
  if (!sessions?.length) return;
  const place = sessions.findIndex((session) => session.id === current()?.id);
  setView({ session: sessions[(place + by + sessions.length) % sessions.length].id, range: null, select: null });
}

addKeys("Everywhere", [
  ...PAGES.map((page, index) => ({ key: String(index + 1), name: String(index + 1), what: `${page} page`, run: () => setView({ page }) })),
  { key: "{", name: "{", what: "previous session", run: () => step(-1) },
  { key: "}", name: "}", what: "next session", run: () => step(1) },
  { key: "t", name: "t", what: "light or dark", run: toggleTheme },
  { key: "?", name: "?", what: "this list", run: showKeys },
]);
addKeys("Time", [
  { key: " ", name: "space", what: "pause, or follow what is live", run: () => withSession(span.pause) },
  { key: "0", name: "0", what: "follow the newest data", run: () => setView({ range: null }) },
  { key: "+", name: "+", what: "closer, around the cursor", run: () => withSession((session) => span.zoomBy(session, 0.5)) },
  { key: "-", name: "-", what: "farther", run: () => withSession((session) => span.zoomBy(session, 2)) },
  { key: ",", name: ",", what: "back in time", run: () => withSession((session) => span.pan(session, -0.5)) },
  { key: ".", name: ".", what: "on in time", run: () => withSession((session) => span.pan(session, 0.5)) },
  { key: "m", name: "m", what: "mark this moment (while paused: the moment under the cursor)", run: mark },
  { key: "[", name: "[", what: "previous mark", run: () => toMark(-1) },
  { key: "]", name: "]", what: "next mark", run: () => toMark(1) },
  { key: "z", name: "z", what: "look at the selection only", run: span.zoomToSelection },
  { key: "p", name: "p", what: "pin the selection, or what is seen, to compare with; again: let go", run: () => withSession(span.pin) },
  { key: "Escape", name: "esc", what: "drop the selection, then the pinned span", run: span.unselect },
], () => getView().page !== "targets");

explainKeys("On a chart", [
  ["tab", "to the next chart, table or button"],
  ["← →", "move the cursor; with shift, select"],
  ["page ↑ ↓", "move it ten times as far"],
  ["home end", "to the first or last value"],
], () => getView().page !== "targets");

onView((view, before) => {
  // An address may also leave out the session that is shown anyway.
  if (current()?.id !== chosen(sessions ?? [], before.session)?.id) parts = {};
  if (view.page === "targets" && before.page !== "targets") void targets.look();
  subscribe();
  schedule();
});
onTheme(redraw);
addEventListener("resize", () => {
  subscribe();
  redraw();
});
setInterval(() => (connection.state === "lost" || getView().range) && schedule(), 1000);
if (getView().page === "targets") void targets.look();
listen();
socket.connect();
schedule();
