// What stands out: one sentence each, the costliest first, with a way to the evidence.

import { h, setText, show } from "../dom";
import { duration } from "../format";
import { getView, setView } from "../state";
import type { Finding, Range, Session } from "../types";
import { reveal } from "./reveal";

/** What the rules look for, in the words of `dashboard/src/findings`. */
const LOOKED_FOR = "I/O threads behind a CPU thread, C calls that keep the GIL, more CPU threads than one GIL runs, "
  + "too short a switch interval, busy pollers, too few cores, lost events";
const NAMES: Record<string, string> = {
  convoy: "Convoy", keeps_gil: "Keeps the GIL", saturated: "GIL is full", switch_interval: "Switch interval",
  busy_poller: "Busy poller", cores: "Too few cores", events_lost: "Events lost",
};
/** Rules stay silent about less; see `SPAN_NS_MIN`. */
const SPAN_NS_MIN = 1e9;

export class Findings {
  readonly element = h("div", { class: "findings" });
  private readonly list = h("ol");
  private readonly state = h("p", { class: "findings-none", role: "status" });
  private shown = "";

  constructor() {
    this.element.append(this.state, this.list);
  }

  draw(findings: Finding[] | undefined, session: Session, window: Range): void {
    const state = stateOf(findings, session, window);
    show(this.state, state !== null);
    setText(this.state, state ?? "");
    const known = JSON.stringify(findings ?? []);
    if (known === this.shown) return;
    this.shown = known;
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-of") : null;
    this.list.replaceChildren(...(findings ?? []).map(item));
    if (focused) this.list.querySelector<HTMLElement>(`[data-of="${CSS.escape(focused)}"]`)?.focus();
  }
}

function stateOf(findings: Finding[] | undefined, session: Session, window: Range): string | null {
  if (!findings) return "Looking at the figures …";
  if (findings.length > 0) return null;
  const length_ns = Math.min(window.end_ns, session.range.end_ns) - Math.max(window.start_ns, session.range.start_ns);
  if (length_ns < SPAN_NS_MIN) return session.ended ? "The span is too short to say anything about it; look at a longer one." : "Watching … the first second is not over yet.";
  const blind = session.notes.gil ? ` The GIL is not watched: ${session.notes.gil}.` : "";
  return `Nothing stands out in these ${duration(length_ns)}. Looked for: ${LOOKED_FOR}.${blind}`;
}

function item(finding: Finding): HTMLElement {
  const { page, thread_name } = finding.evidence;
  const of = `${finding.rule} ${thread_name ?? ""}`;
  const where = page === "overview" ? null : h("button", {
    type: "button", class: "quiet", "data-of": of, title: `See it on the ${page.toUpperCase()} page`,
    click: () => {
      setView(evidenceView(finding));
      reveal(page === "cpu" ? "threads" : "blame");
    },
  }, `Show on the ${page.toUpperCase()} page`);
  return h("li", { class: `finding finding-${finding.rule}` },
    h("span", { class: "finding-name" }, NAMES[finding.rule] ?? finding.rule),
    h("div", {}, h("p", { class: "finding-text" }, finding.text), h("p", { class: "hint" }, finding.remedy)),
    ...(where ? [where] : []));
}

/** The page, ordered so that what is meant stands first. */
function evidenceView(finding: Finding): Parameters<typeof setView>[0] {
  const { page } = finding.evidence;
  const first: Record<string, string> = page === "cpu" ? { threads_cpu: "-runqueue_ns" } : { blame: "-wait" };
  return { page, sorts: { ...getView().sorts, ...first } };
}
