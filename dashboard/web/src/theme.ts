// Light and dark: the system's choice until a person takes another; remembered in this browser.

type Theme = "light" | "dark";
const KEY = "gilscope-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
const probe = document.createElement("span");
const colors = new Map<string, string>();

function chosen(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : null;
}

function current(): Theme {
  return chosen() ?? (system.matches ? "dark" : "light");
}

export function isDark(): boolean {
  return current() === "dark";
}

function apply(): void {
  document.documentElement.dataset.theme = current();
  colors.clear();
  listeners.forEach((listener) => listener());
}

/** Calls back whenever colours changed, so that canvases are painted anew. */
export function onTheme(listener: () => void): void {
  listeners.add(listener);
}

/** Goes to the other theme; back at the system's own choice nothing is remembered. */
export function toggleTheme(): void {
  const next: Theme = current() === "dark" ? "light" : "dark";
  if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
  apply();
}

export function startTheme(): void {
  system.addEventListener("change", apply);
  apply();
}

/** A colour of the style sheet as canvases take it. */
export function color(name: string): string {
  return computed(name, `var(--${name})`);
}

function computed(name: string, css: string): string {
  let value = colors.get(name);
  if (value === undefined) {
    probe.style.color = css;
    if (!probe.isConnected) document.head.append(probe);
    value = getComputedStyle(probe).color;
    colors.set(name, value);
  }
  return value;
}

/** A colour mixed with the panel's: what is paler than it. */
export function tint(base: string): string {
  return mix(base, 45);
}

function mix(base: string, share: number): string {
  return computed(`mix ${base} ${share}`, `color-mix(in srgb, ${base} ${share}%, var(--panel))`);
}

const patterns = new Map<string, CanvasPattern>();

/** The tile of a colour as slanted lines or dots on a pale ground of it. */
export function hatched(base: string, kind: "lines" | "dots"): HTMLCanvasElement {
  return paintTile(mix(base, 80), mix(base, 18), kind);
}

/** Lines or dots of one colour on another, in pixels of the device. */
export function patterned(ink: string, ground: string, kind: "lines" | "dots"): CanvasPattern {
  const name = `${kind} ${ink} ${ground} ${devicePixelRatio}`;
  let pattern = patterns.get(name);
  if (!pattern) {
    pattern = document.createElement("canvas").getContext("2d")!.createPattern(paintTile(ink, ground, kind), "repeat")!;
    patterns.set(name, pattern);
  }
  return pattern;
}

function paintTile(ink: string, ground: string, kind: "lines" | "dots"): HTMLCanvasElement {
  const size = 6 * Math.ceil(devicePixelRatio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const ctx = tile.getContext("2d")!;
  ctx.fillStyle = ground;
  ctx.fillRect(0, 0, size, size);
  ctx.strokeStyle = ctx.fillStyle = ink;
  ctx.lineWidth = size / 4;
  if (kind === "dots") {
    ctx.fillRect(0, 0, size / 3, size / 3);
    ctx.fillRect(size / 2, size / 2, size / 3, size / 3);
  } else {
    ctx.beginPath();
    // Three lines, so that the corners of the tile are covered, too.
    for (const at of [-1, 0, 1]) {
      ctx.moveTo(-1 + at * size, size + 1);
      ctx.lineTo(size + 1 + at * size, -1);
    }
    ctx.stroke();
  }
  return tile;
}
