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

/** What a switch puts on: the remedy's name, what it is called here, and what it does. */
export interface TryWhat { remedy: string; name: string; does: string }

export const IO_FIRST: TryWhat = {
  remedy: "io-priority", name: "I/O threads first", does: "I/O threads ask CPU threads for the GIL sooner",
};
export const KEEP_CHUNKS: TryWhat = {
  remedy: "keep-chunks", name: "Keep chunks",
  does: "a temporary thread state gets the data-stack chunk of the one before it, instead of mapping and unmapping its own (Python 3.11 and later)",
};

/** A switch for a remedy, for the head of a panel. */
export class TrySwitch {
  private readonly button = h("button", { type: "button", class: "quiet", role: "switch", click: () => void this.flip() });
  readonly element = h("span", {}, this.button);
  private session: Session | null = null;

  constructor(private readonly what: TryWhat) {}

  draw(session: Session): void {
    this.session = session;
    show(this.element, session.ended === null);
    tries.look(session, () => this.draw(session));
    const { remedy, name, does } = this.what;
    const standing = tries.standing(remedy);
    setText(this.button, `${name}: ${standing ? "on" : "off"}`);
    this.button.setAttribute("aria-checked", String(Boolean(standing)));
    this.button.title = standing
      ? `On: ${standing.setting}. Takes it back.`
      : `Try ${remedy}: ${does}. Before and after are on the Experiments page.`;
  }

  private async flip(): Promise<void> {
    const session = this.session;
    if (!session) return;
    const { remedy } = this.what;
    await (tries.standing(remedy) ? takeBack(session, remedy) : putOn(session, remedy));
    this.draw(session);
  }
}
