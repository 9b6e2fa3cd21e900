// What stands around every page: session switcher, pages, span of time, state of the connection.

import type { Context } from "./context";
import { h, setText, show } from "./dom";
import { bytes, clock, cores, count, percent } from "./format";
import { unixSeconds } from "./charts/series";
import { sessionName } from "./pages/targets";
import type { Connection } from "./socket";
import { getView, PAGES, setView, SPANS } from "./state";
import { toggleTheme } from "./theme";
import type { Session } from "./types";

const TITLES = { overview: "Overview", cpu: "CPU", gil: "GIL", targets: "Targets" };

export interface Actions { help: () => void; mark: () => void; pause: () => void }

export class Shell {
  readonly element: HTMLElement;
  private readonly sessions = h("select", { "aria-label": "Session", change: () => this.chosen() });
  private readonly tabs = PAGES.map((page, index) =>
    h("button", { type: "button", title: `${TITLES[page]} (${index + 1})`, click: () => setView({ page }) }, TITLES[page]));
  private readonly spans = SPANS.map((last_s) =>
    h("button", { type: "button", title: `Follow ${spanName(last_s)}`, click: () => setView({ last_s, range: null }) }, spanName(last_s)));
  private readonly pause: HTMLButtonElement;
  private readonly status = h("div", { class: "status" });
  private readonly banner = h("div", { class: "banner", role: "status", hidden: true });
  private readonly toolbar: HTMLElement;
  private listed = "";

  constructor(actions: Actions) {
    this.pause = h("button", { type: "button", class: "pause", title: "Pause or go on (space)", click: actions.pause });
    const top = h("header", { class: "top" },
      h("span", { class: "brand" }, "gilscope"), this.sessions,
      h("nav", { "aria-label": "Pages" }, ...this.tabs), h("span", { class: "gap" }),
      h("button", { type: "button", class: "quiet", title: "Light or dark (t)", click: toggleTheme }, "Theme"),
      h("button", { type: "button", class: "quiet", title: "Keys (?)", click: actions.help }, "Keys"));
    this.toolbar = h("div", { class: "toolbar" }, this.status, h("div", { class: "controls" },
      h("button", { type: "button", class: "quiet", title: "Mark this moment (m)", click: actions.mark }, "Mark"),
      h("div", { class: "spans", role: "group", "aria-label": "Span" }, ...this.spans), this.pause));
    this.element = h("div", { class: "shell" }, top, this.toolbar, this.banner);
  }

  /** Shows which sessions there are; names of targets are long, so only a changed list is set. */
  drawSessions(sessions: Session[], current: number | null): void {
    const state = JSON.stringify([current, sessions.map((session) => [session.id, sessionName(session), session.ended !== null])]);
    if (state === this.listed) return;
    this.listed = state;
    this.sessions.replaceChildren(...sessions.map((session) =>
      h("option", { value: session.id, selected: session.id === current }, sessionName(session) + (session.ended ? " (ended)" : ""))));
    show(this.sessions, sessions.length > 0);
  }

  draw(context: Context | null, connection: Connection): void {
    const view = getView();
    this.tabs.forEach((tab, index) => tab.setAttribute("aria-current", PAGES[index] === view.page ? "page" : "false"));
    this.spans.forEach((span, index) => span.setAttribute("aria-pressed", String(!view.range && SPANS[index] === view.last_s)));
    setText(this.pause, view.range ? "Go on" : "Pause");
    this.pause.classList.toggle("paused", view.range !== null);
    show(this.toolbar, context !== null && view.page !== "targets");
    this.drawBanner(context, connection);
    if (!context) return;
    const { session, window } = context;
    const shown = view.range
      ? `${clock(unixSeconds(session, window.start_ns), true)} to ${clock(unixSeconds(session, window.end_ns), true)}`
      : session.ended ? "final" : "live";
    this.drawStatus([
      [view.range ? "paused" : session.ended ? "ended" : "live", shown],
      ["Python", session.target.python_version || "–"], ["CPU", cores(session.cpu_cores)], ["GIL", percent(session.gil_utilization)],
      ["threads", count(session.n_threads_alive)], ["RSS", bytes(session.rss_bytes)],
      ["lost", count(session.events_lost)],
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
    });
  }

  private drawBanner(context: Context | null, connection: Connection): void {
    const text = bannerText(context, connection);
    show(this.banner, text !== null);
    this.banner.classList.toggle("alarming", connection.state !== "open");
    if (text) setText(this.banner, text);
  }

  private chosen(): void {
    setView({ session: Number(this.sessions.value), range: null });
    this.sessions.blur(); // keys are for the page again
  }
}

function bannerText(context: Context | null, connection: Connection): string | null {
  if (connection.state === "denied") {
    return "gilscope was started anew and does not know this browser. Open the address that it printed.";
  }
  if (connection.state === "lost") {
    const seconds = Math.max(0, Math.ceil((connection.retry_at_ms - performance.now()) / 1000));
    return `Connection lost; what is shown is not live. Trying again ${seconds > 0 ? `in ${seconds} s` : "now"}.`;
  }
  const session = context?.session;
  if (session?.ended) {
    const at = clock(unixSeconds(session, session.ended.at_ns));
    return `Process ${session.target.pid} ended at ${at}: ${session.ended.reason}. Its figures are final.`;
  }
  return null;
}

function spanName(last_s: number): string {
  if (last_s === 0) return "all";
  return last_s < 60 ? `${last_s} s` : last_s < 3600 ? `${last_s / 60} min` : `${last_s / 3600} h`;
}
