// A row of figures with their names: what stands above charts.

import { h, setText, show } from "../dom";

export interface Figure { name: string; value: string; title: string; alarming?: boolean }

export class Figures {
  readonly element = h("dl", { class: "figure-row" });

  draw(figures: Figure[]): void {
    while (this.element.children.length > figures.length) this.element.lastElementChild!.remove();
    figures.forEach((figure, index) => {
      const box = this.element.children[index] ?? this.add();
      setText(box.children[0], figure.name);
      setText(box.children[1], figure.value);
      if (box.getAttribute("title") !== figure.title) box.setAttribute("title", figure.title);
      box.classList.toggle("alarming", Boolean(figure.alarming));
    });
    show(this.element, figures.length > 0);
  }

  private add(): Element {
    return this.element.appendChild(h("div", {}, h("dt"), h("dd")));
  }
}
