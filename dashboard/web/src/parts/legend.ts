// The legend of the stack: a band's colour, name and cores, at the cursor or on average.

import { h, setText } from "../dom";
import { clock, cores } from "../format";
import { bandColors } from "../palette";
import { mean, unixSeconds } from "../charts/series";
import type { Frame, Session } from "../types";

export class Legend {
  readonly element = h("div", { class: "legend" });
  private readonly when = h("span", { class: "when" });
  private readonly items = h("ul");

  constructor() {
    this.element.append(this.when, this.items);
  }

  /** `index` is the pixel under the cursor; without it the means over the span are shown. */
  draw(session: Session, frame: Frame, index: number | null): void {
    const bands = frame.bands ?? [];
    const colors = bandColors(bands);
    const at = (frame.start_ns ?? 0) + ((index ?? 0) + 0.5) * (frame.step_ns ?? 0);
    setText(this.when, index === null ? "mean of the span" : `at ${clock(unixSeconds(session, at), true)}`);
    while (this.items.children.length > bands.length + 1) this.items.lastElementChild!.remove();
    while (this.items.children.length < bands.length + 1) this.items.append(entry());
    const total = bands.reduce((sum, band) => sum + band.cpu_ns, 0);
    this.fill(0, null, "all threads", index === null ? mean(frame, total) : frame.values.total?.[index]);
    bands.forEach((band, place) => {
      const value = index === null ? mean(frame, band.cpu_ns) : frame.values[place]?.[index];
      this.fill(place + 1, colors[place], band.name, value);
    });
  }

  private fill(place: number, color: string | null, name: string, value: number | null | undefined): void {
    const [swatch, label, figure] = this.items.children[place].children as unknown as HTMLElement[];
    swatch.style.backgroundColor = color ?? "transparent";
    setText(label, name);
    label.title = name;
    setText(figure, cores(value));
  }
}

function entry(): HTMLElement {
  return h("li", {}, h("span", { class: "swatch" }), h("span", { class: "name" }), h("span", { class: "value" }));
}
