// What stands around every page: session switcher, pages, span of time, selection, state of the connection.

import type { Context } from "./context";
import { h, setText, show } from "./dom";
import { bytes, clock, cores, count, duration, percent } from "./format";
import { unixSeconds } from "./charts/series";
import { sessionName } from "./pages/targets";
import type { Connection } from "./socket";
import { SpanBar } from "./parts/spanbar";
import { getView, PAGES, setView, SPANS } from "./state";
import { isDark, onTheme, toggleTheme } from "./theme";
import type { Session } from "./types";

const TITLES = { overview: "Overview", cpu: "CPU", gil: "GIL", states: "Thread states", frames: "Frames", imports: "Imports", targets: "Targets", experiments: "Experiments" };

export interface Actions { help: () => void; mark: () => void; pause: () => void }

export class Shell {
  readonly element: HTMLElement;
  private readonly sessions = h("select", { "aria-label": "Session", title: "Session ({ and })", change: () => this.chosen() });
  private readonly tabs = PAGES.map((page, index) =>
    h("button", { type: "button", title: `${TITLES[page]} (${index + 1})`, "data-name": TITLES[page], click: () => setView({ page }) }, TITLES[page]));
  private readonly spans = SPANS.map((last_s) =>
    h("button", { type: "button", title: `Follow ${spanName(last_s)}`, click: () => setView({ last_s, range: null }) }, spanName(last_s)));
  private readonly pause: HTMLButtonElement;
  private readonly theme = h("button", { type: "button", class: "quiet icon", click: toggleTheme });
  private readonly status = h("div", { class: "status" });
  private readonly banner = h("div", { class: "banner", role: "status", hidden: true });
  private readonly spanBar = new SpanBar();
  private readonly toolbar: HTMLElement;
  private listed = "";

  constructor(actions: Actions) {
    this.pause = h("button", { type: "button", class: "pause", title: "Pause, or follow what is live (space)", click: actions.pause });
    const top = h("div", { class: "top" },
      h("h1", { class: "brand" }, "gilscope"), this.sessions,
      h("nav", { "aria-label": "Pages" }, ...this.tabs), h("span", { class: "gap" }),
      this.theme, h("button", { type: "button", class: "quiet icon", title: "Keys (?)", "aria-label": "Keys", click: actions.help }, "?"));
    this.toolbar = h("div", { class: "toolbar" }, this.status, h("div", { class: "controls" },
      h("button", { type: "button", class: "quiet", title: "Mark this moment (m)", click: actions.mark }, "Mark"),
      h("div", { class: "spans", role: "group", "aria-label": "Span" }, ...this.spans), this.pause));
    this.element = h("header", { class: "shell" }, top, this.toolbar, this.spanBar.element, this.banner);
    onTheme(() => this.drawTheme());
    this.drawTheme();
  }

  /** Shows which sessions there are; names of targets are long, so only a changed list is set. */
  drawSessions(sessions: Session[], current: number | null): void {
    const state = JSON.stringify([current, sessions.map((session) => [session.id, sessionName(session), session.ended !== null])]);
    if (state === this.listed) return;
    this.listed = state;
    this.sessions.replaceChildren(...sessions.map((session) =>
      h("option", { value: session.id, selected: session.id === current }, sessionName(session) + (session.ended ? ` (${session.ended.how})` : ""))));
    show(this.sessions, sessions.length > 0);
  }

  draw(context: Context | null, connection: Connection): void {
    const view = getView();
    this.tabs.forEach((tab, index) => tab.setAttribute("aria-current", PAGES[index] === view.page ? "page" : "false"));
    this.spans.forEach((span, index) => span.setAttribute("aria-pressed", String(!view.range && SPANS[index] === view.last_s)));
    setText(this.pause, !view.range ? "Pause" : context?.session.ended ? "All" : "Go live");
    show(this.pause, view.range !== null || !context?.session.ended);
    this.pause.classList.toggle("paused", view.range !== null);
    show(this.toolbar, context !== null && view.page !== "targets");
    show(this.spanBar.element, context !== null && view.page !== "targets");
    this.drawBanner(context, connection);
    if (!context) return;
    this.spanBar.draw(context);
    const { session } = context;
    this.drawStatus([
      stateOf(context, connection),
      ["Python", session.target.python_version || "–"], ["CPU", `${cores(session.cpu_cores)} cores`], ["GIL", percent(session.gil_utilization)],
      ["Threads", count(session.n_threads_alive)], ["RSS", bytes(session.rss_bytes)],
      ["Events lost", count(session.events_lost)],
    ]);
  }

  private drawStatus(pairs: [string, string][]): void {
    while (this.status.children.length < pairs.length) {
      this.status.append(h("span", { class: "pair" }, h("span", { class: "pair-name" }), h("span", { class: "pair-value" })));
    }
    pairs.forEach(([name, value], index) => {
      const pair = this.status.children[index];
      setText(pair.children[0], index === 0 ? "" : name);
      setText(pair.children[1], value);
      if (index === 0) pair.className = `pair state-${name}`;
      if (name === "Events lost") pair.classList.toggle("alarming", value !== "0");
    });
  }

  private drawTheme(): void {
    setText(this.theme, isDark() ? "☀" : "☾");
    const what = `Change to ${isDark() ? "light" : "dark"}`;
    this.theme.title = `${what} (t)`;
    this.theme.setAttribute("aria-label", what);
  }

  private drawBanner(context: Context | null, connection: Connection): void {
    const text = bannerText(context, connection);
    show(this.banner, text !== null);
    this.banner.classList.toggle("alarming", connection.state === "lost" || connection.state === "denied");
    if (text) setText(this.banner, text);
  }

  private chosen(): void {
    setView({ session: Number(this.sessions.value), range: null, select: null });
    this.sessions.blur(); // keys are for the page again
  }
}

/** A word for how it is shown, and what is seen of the time. */
function stateOf({ session, window, view }: Context, connection: Connection): [string, string] {
  const stale = connection.state === "lost" || connection.state === "denied";
  if (!view.range) return session.ended ? ["ended", session.ended.how] : stale ? ["stale", "not live"] : ["live", "live"];
  const at = (ns: number) => clock(unixSeconds(session, ns), true);
  const behind = session.ended ? 0 : session.range.end_ns - window.end_ns;
  const text = `${at(window.start_ns)} to ${at(window.end_ns)}`;
  return ["paused", behind > 2e9 ? `${text}, ${duration(Math.floor(behind / 1e9) * 1e9)} behind` : text];
}

function bannerText(context: Context | null, connection: Connection): string | null {
  if (connection.state === "denied") {
    return "gilscope was started anew and does not know this browser. Open the address that it printed; this page then goes on by itself.";
  }
  if (connection.state === "lost") {
    const seconds = Math.max(0, Math.ceil((connection.retry_at_ms - performance.now()) / 1000));
    return `Connection lost; what is shown is not live. Trying again ${seconds > 0 ? `in ${seconds} s` : "now"}.`;
  }
  const session = context?.session;
  if (session?.ended) {
    const at = clock(unixSeconds(session, session.ended.at_ns));
    return `${endedText(session.target.pid, at, session.ended)} Its figures are final.`;
  }
  return null;
}

/** A process that was left goes on, which "ended" would deny. */
function endedText(pid: number, at: string, { how, reason }: NonNullable<Session["ended"]>): string {
  if (how === "ended") return `Process ${pid} ended at ${at}: ${reason}.`;
  if (how === "cut off") return `What is known of process ${pid} ends at ${at}, ${reason}.`;
  return `Process ${pid} was watched until ${at}, then ${reason}; it went on.`;
}

function spanName(last_s: number): string {
  if (last_s === 0) return "all";
  return last_s < 60 ? `${last_s} s` : last_s < 3600 ? `${last_s / 60} min` : `${last_s / 3600} h`;
}
