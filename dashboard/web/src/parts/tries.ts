// Remedies on trial: what the server knows of them, and the buttons that put them on and take them back.

import { experiments, tryRemedy, undoRemedy } from "../api";
import { h, setText, show } from "../dom";
import type { Experiment, Session } from "../types";
import { attempt } from "./toast";

/** Between two looks at figures that grow. */
const LOOK_MS = 2000;

/** The experiments of the session that is looked at, fetched while somebody looks. */
class Tries {
  all: Experiment[] = [];
  private session = -1;
  private looked_ms = -Infinity;

  /** Looks again if it is time to, and calls back when the answer is there. */
  look(session: Session, then: () => void): void {
    if (session.id !== this.session) [this.session, this.all, this.looked_ms] = [session.id, [], -Infinity];
    if (performance.now() - this.looked_ms < LOOK_MS) return;
    this.looked_ms = performance.now();
    void experiments(session.id).then((found) => {
      if (session.id !== this.session) return;
      this.all = found;
      then();
    }, () => undefined); // the banner says that the connection is lost
  }

  lookSoon(): void {
    this.looked_ms = -Infinity;
  }

  /** The one that stands now under this name. */
  standing(remedy: string): Experiment | undefined {
    return this.all.findLast((each) => each.remedy === remedy && each.undone_ns === null);
  }
}

export const tries = new Tries();

export async function putOn(session: Session, remedy: string): Promise<void> {
  await attempt(() => tryRemedy(session.id, remedy));
  tries.lookSoon();
}

export async function takeBack(session: Session, remedy: string): Promise<void> {
  await attempt(() => undoRemedy(session.id, remedy));
  tries.lookSoon();
}

/** A switch for "I/O threads first", for the head of a panel. */
export class TrySwitch {
  private readonly button = h("button", { type: "button", class: "quiet", role: "switch", click: () => void this.flip() });
  readonly element = h("span", {}, this.button);
  private session: Session | null = null;

  draw(session: Session): void {
    this.session = session;
    show(this.element, session.ended === null);
    tries.look(session, () => this.draw(session));
    const standing = tries.standing("io-priority");
    setText(this.button, standing ? "I/O threads first: on" : "I/O threads first: off");
    this.button.setAttribute("aria-checked", String(Boolean(standing)));
    this.button.title = standing
      ? `On: ${standing.setting}. Takes it back.`
      : "Try io-priority: I/O threads ask CPU threads for the GIL sooner. Before and after are on the Experiments page.";
  }

  private async flip(): Promise<void> {
    const session = this.session;
    if (!session) return;
    await (tries.standing("io-priority") ? takeBack(session, "io-priority") : putOn(session, "io-priority"));
    this.draw(session);
  }
}
