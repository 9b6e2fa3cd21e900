// The lanes' shares as a picture, one column a pixel: made once for each answer of the server, then only
// moved and stretched, so that panning costs one copy a frame however many threads there are.

import { color } from "../theme";
import type { Lanes } from "./data";

/** Height of a lane, and of the bar within it. */
export const LANE = 22;
export const BAR = 16;

type Rgba = [number, number, number, number];

function rgba(name: string): Rgba {
  const parts = color(name).match(/[\d.]+/g)!.map(Number);
  return [parts[0], parts[1], parts[2], parts.length > 3 ? Math.round(parts[3] * 255) : 255];
}

/** Holding from the bottom up, then waiting (hatched), then native; what is left is off CPU. */
export function picture(lanes: Lanes): HTMLCanvasElement | null {
  const { count, shares } = lanes;
  const height = lanes.threads.length * BAR;
  if (count === 0 || height === 0) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [count, height];
  const ctx = canvas.getContext("2d")!;
  const image = ctx.createImageData(count, height);
  const words = new Uint32Array(image.data.buffer);
  const word = (name: string) => pack(rgba(name));
  const [held, waiting, hatch, native, off] = ["held", "waiters", "waiters-hatch", "lane-native", "lane-off"].map(word);
  for (let lane = 0; lane < lanes.threads.length; lane += 1) {
    for (let x = 0; x < count; x += 1) {
      const share = (state: number) => shares[(lane * 4 + state) * count + x];
      const [h, w, n, o] = [share(0), share(1), share(2), share(3)];
      if (h + w + n + o === 0) continue;
      // A state that is there at all is seen: a row for each, taken from those that have more.
      const top = (sum: number, some: number) => (some ? Math.max(1, Math.round((sum / 255) * BAR)) : 0);
      const first = top(h, h);
      const second = Math.max(first + (w ? 1 : 0), w ? top(h + w, w) : first);
      const third = Math.max(second + (n ? 1 : 0), n ? top(h + w + n, n) : second);
      const full = top(h + w + n + o, 1);
      for (let y = 0; y < Math.max(full, third) && y < BAR; y += 1) {
        const row = lane * BAR + BAR - 1 - y;
        const value = y < first ? held : y < second ? ((x + y) % 4 ? waiting : hatch) : y < third ? native : off;
        words[row * count + x] = value;
      }
    }
  }
  ctx.putImageData(image, 0, 0);
  return canvas;
}

function pack([r, g, b, a]: Rgba): number {
  return ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
