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
  let value = colors.get(name);
  if (value === undefined) {
    probe.style.color = `var(--${name})`;
    if (!probe.isConnected) document.head.append(probe);
    value = getComputedStyle(probe).color;
    colors.set(name, value);
  }
  return value;
}
