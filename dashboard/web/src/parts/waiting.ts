// What stands in a page's place while there is nothing to show: loading, or what to do next.

import type { Context } from "../context";
import { h, setText, show } from "../dom";
import type { Connection } from "../socket";
import { setView } from "../state";
import type { Session } from "../types";

export class Waiting {
  readonly element = h("main", { class: "page" });
  private readonly title = h("h2");
  private readonly text = h("p");
  private readonly spinner = h("span", { class: "spinner", "aria-hidden": "true" });
  private readonly open = h("button", { type: "button", class: "primary", click: () => setView({ page: "targets" }) }, "Choose a process");

  constructor() {
    this.element.append(h("div", { class: "empty", role: "status" }, this.spinner, this.title, this.text, this.open));
  }

  draw(context: Context | null, sessions: Session[] | null, connection: Connection): void {
    const nothing = sessions !== null && !context;
    const [title, text] = words(context, sessions, connection);
    setText(this.title, title);
    setText(this.text, text);
    show(this.open, nothing);
    show(this.spinner, !nothing && connection.state !== "denied");
  }
}

function words(context: Context | null, sessions: Session[] | null, connection: Connection): [string, string] {
  if (context && context.session.range.end_ns > 0) return ["Loading", `The figures of process ${context.session.target.pid} are on their way.`];
  if (context) return [`Waiting for process ${context.session.target.pid}`, "The first figures come within a second of the attach."];
  if (sessions) return ["Nothing is watched yet", "Choose a process here, or run gilscope attach PID in a terminal."];
  if (connection.state === "denied") return ["Not logged in", "Open the address that gilscope printed; gilscope list prints a new one."];
  return ["Connecting to gilscope", "This page comes by itself once it answers."];
}
