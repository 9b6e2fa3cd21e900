// One line that tells how an action went, and goes by itself.

import { h } from "../dom";

const STAY_MS = 6000;
const element = h("div", { class: "toast", role: "status", hidden: true });
let timer = 0;

export function toast(text: string, failed = false): void {
  if (!element.isConnected) document.body.append(element);
  element.textContent = text;
  element.classList.toggle("failed", failed);
  element.hidden = false;
  clearTimeout(timer);
  timer = window.setTimeout(() => (element.hidden = true), STAY_MS);
}

/** Runs an action and shows why it failed, if it did. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<void> {
  try {
    await action();
    if (done) toast(done);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), true);
  }
}
