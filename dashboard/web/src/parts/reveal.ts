// Brings a panel into sight that a link is about, once its page is there, and lets it light up for a moment.

/** A page that is not there by then is not waited for. */
const PATIENCE_MS = 4000;
const LIT_MS = 1600;

/** `name` is the panel's `data-panel`. */
export function reveal(name: string): void {
  const end_ms = performance.now() + PATIENCE_MS;
  const look = () => {
    const panel = document.querySelector<HTMLElement>(`main:not([hidden]) [data-panel="${name}"]`);
    if (panel && panel.offsetParent !== null) return light(panel);
    if (performance.now() < end_ms) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

function light(panel: HTMLElement): void {
  panel.scrollIntoView({ block: "nearest" });
  panel.classList.add("lit");
  setTimeout(() => panel.classList.remove("lit"), LIT_MS);
}
