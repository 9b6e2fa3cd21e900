// What is said to those who do not see it: one polite live region, with the newest sentence only.

import { h } from "./dom";

/** So that holding an arrow key down says where it ended, not all on the way. */
const PAUSE_MS = 150;
const region = h("div", { class: "for-screen-readers", "aria-live": "polite", role: "log" });
let timer = 0;

export function announce(text: string): void {
  if (!region.isConnected) document.body.append(region);
  clearTimeout(timer);
  timer = window.setTimeout(() => (region.textContent = text), PAUSE_MS);
}
