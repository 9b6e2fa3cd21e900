// Making elements. All text goes through text nodes: what a target says is never markup.

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: any) => void)>;

/** An element: attributes (functions become listeners, false and null leave out), then children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(text));
  return element;
}

function text(child: Child): Node | string {
  return child instanceof Node ? child : String(child);
}

/** Sets text only if it differs, so that selections and screen readers are left in peace. */
export function setText(element: Element, value: string): void {
  if (element.textContent !== value) element.textContent = value;
}

/** Calls back once there is time, and says while there is; gives what takes it back. Safari has no idle
 *  callbacks: there the next turn has to do. */
export function whenIdle(call: (hasTime: () => boolean) => void): () => void {
  if ("requestIdleCallback" in window) {
    const id = requestIdleCallback((deadline) => call(() => deadline.timeRemaining() > 1), { timeout: 500 });
    return () => cancelIdleCallback(id);
  }
  const id = setTimeout(() => {
    const end_ms = performance.now() + 5;
    call(() => performance.now() < end_ms);
  });
  return () => clearTimeout(id);
}

/** Shows or hides without taking the element out. */
export function show(element: HTMLElement, visible: boolean): void {
  if (element.hidden === visible) element.hidden = !visible;
}
