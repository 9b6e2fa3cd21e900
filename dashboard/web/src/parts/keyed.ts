// An entry of a chart's key: a colour and what it stands for.

import { h } from "../dom";

export function keyed(color: string, name: string): HTMLElement {
  const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = color;
  return h("li", {}, swatch, name);
}
