// The legend of the stack, in the order in which it is painted: a band's colour, name and CPU, at the
// cursor or on average; below, what the parts of a band look like.

import { mean, PARTS, timeAt, type PartKey } from "../charts/stack";
import { h, setText, show } from "../dom";
import { cpu } from "../format";
import { bandColors } from "../palette";
import type { Band, Frame, Session } from "../types";

type Unit = "cores" | "percent";

export class Legend {
  readonly element = h("div", { class: "legend" });
  private readonly when = h("span", { class: "when" });
  private readonly items = h("ul", { "aria-label": "Threads" });
  private readonly key = h("ul", { class: "parts", "aria-label": "Parts of a band" }, ...PARTS.map((part) =>
    h("li", { title: TITLES[part.key] }, h("span", { class: `swatch part-${part.key}` }), h("span", { class: "name" }, part.name), h("span", { class: "value" }))));

  constructor() {
    this.element.append(this.when, this.items, this.key);
  }

  /** `index` is the pixel under the cursor; without it the means over the span are shown. */
  draw(session: Session, frame: Frame, index: number | null, unit: Unit): void {
    const bands = frame.bands ?? [];
    const colors = bandColors(bands);
    const unitName = unit === "cores" ? "cores" : "of a core";
    setText(this.when, index === null ? `mean of the span, ${unitName}` : `at ${timeAt(session, frame, index)}, ${unitName}`);
    while (this.items.children.length > bands.length + 1) this.items.lastElementChild!.remove();
    while (this.items.children.length < bands.length + 1) this.items.append(entry());
    const total = bands.reduce((sum, band) => sum + band.cpu_ns, 0);
    this.fill(0, null, "all threads", cpu(index === null ? mean(frame, total) : frame.values.total?.[index], unit));
    // As the stack: what is painted highest stands highest.
    bands.map((band, place) => ({ band, place })).reverse().forEach(({ band, place }, row) => {
      const value = index === null ? mean(frame, band.cpu_ns) : frame.values[place]?.[index];
      this.fill(row + 1, colors[place], band.name, cpu(value, unit));
    });
    this.drawParts(bands, frame, index, unit);
  }

  private drawParts(bands: Band[], frame: Frame, index: number | null, unit: Unit): void {
    show(this.key, bands.some((band) => band.parts));
    PARTS.forEach((part, row) => {
      const item = this.key.children[row] as HTMLElement;
      const known = bands.map((band) => band.parts?.[`${part.key}_ns`] ?? null).filter((ns) => ns !== null);
      const sum = index === null
        ? mean(frame, known.length ? known.reduce((a, b) => a + b, 0) : null)
        : bands.reduce((sum, _, place) => sum + (frame.values[`${place}.${part.key}`]?.[index] ?? 0), 0);
      show(item, part.key !== "unknown" || Boolean(sum));
      setText(item.lastElementChild!, cpu(sum, unit));
    });
  }

  private fill(place: number, color: string | null, name: string, value: string): void {
    const [swatch, label, figure] = this.items.children[place].children as unknown as HTMLElement[];
    swatch.style.backgroundColor = color ?? "transparent";
    setText(label, name);
    label.title = name;
    setText(figure, value);
  }
}

const TITLES: Record<PartKey, string> = {
  holding: "On a core while it held the GIL: the time it held it, as far as that was time on a core",
  running: "On a core without the GIL",
  unknown: "On a core while the GIL was not watched, or in threads that nobody saw twice",
  runnable: "Ready to run, but no core was free; on top of the CPU",
};

function entry(): HTMLElement {
  return h("li", {}, h("span", { class: "swatch" }), h("span", { class: "name" }), h("span", { class: "value" }));
}
