// A stack of layers as a picture, pixel by pixel: a fraction of what paths with thousands of corners cost
// where there is no GPU. Plain functions of numbers.

/** One layer of the stack: its values, and the pixels that it is filled with. */
export interface Stratum { values: ArrayLike<number>; tile: Tile }

/** A square of pixels to repeat, as `ImageData` has them in words; one pixel is a plain colour. */
export interface Tile { size: number; words: Int32Array }

export interface Frame {
  width: number;
  height: number;
  /** Value at the upper edge; the lower one is 0. */
  top: number;
  /** Place of the first column's middle among the values, and how far it is to the next one. */
  from: number;
  step: number;
}

/** Paints layers from the bottom up into `words`, which are `width` × `height` and all 0. What is not a
 *  number adds nothing. */
export function paintStrata(words: Int32Array, frame: Frame, strata: Stratum[]): void {
  const edges = edgesOf(frame, strata);
  fill(words, frame, strata, edges);
  blend(words, frame, strata, edges);
}

/** Where the upper edge of each layer lies in each column, pixels from the top; one row of columns a layer. */
function edgesOf({ width, height, top, from, step }: Frame, strata: Stratum[]): Float32Array {
  const edges = new Float32Array(strata.length * width);
  const scale = height / top;
  let below: Float32Array | null = null;
  strata.forEach(({ values }, layer) => {
    const last = values.length - 1;
    const row = edges.subarray(layer * width, (layer + 1) * width);
    for (let x = 0; x < width; x += 1) {
      const place = from + x * step;
      const at = Math.max(0, Math.min(last, place));
      const left = Math.floor(at);
      const part = at - left;
      const value = part === 0 ? values[left] : values[left] * (1 - part) + values[left + 1] * part;
      const known = value > 0 && place >= -0.5 && place <= last + 0.5;
      row[x] = Math.max(0, (below ? below[x] : height) - (known ? value * scale : 0));
    }
    below = row;
  });
  return edges;
}

/** Gives each pixel to the layer that covers its lower edge; row by row, as memory lies. */
function fill(words: Int32Array, { width, height }: Frame, strata: Stratum[], edges: Float32Array): void {
  const layers = strata.length;
  const plain = Int32Array.from(strata, ({ tile }) => tile.words[0]);
  const tiled = Uint8Array.from(strata, ({ tile }) => Number(tile.size > 1));
  const layerOf = new Uint8Array(width);
  for (let y = height - 1; y >= 0; y -= 1) {
    let covered = false;
    for (let x = 0; x < width; x += 1) {
      let layer = layerOf[x];
      while (layer < layers && edges[layer * width + x] >= y + 1) layer += 1;
      layerOf[x] = layer;
      if (layer === layers) continue;
      covered = true;
      words[y * width + x] = tiled[layer] ? wordOf(strata[layer].tile, x, y) : plain[layer];
    }
    if (!covered) return;
  }
}

/** Mixes the pixels that several layers share; at the top of the stack a pixel is as opaque as it is covered. */
function blend(words: Int32Array, { width, height }: Frame, strata: Stratum[], edges: Float32Array): void {
  const layers = strata.length;
  for (let x = 0; x < width; x += 1) {
    for (let layer = 0; layer < layers;) {
      const edge = edges[layer * width + x];
      const y = Math.floor(edge);
      let [red, green, blue, share] = [0, 0, 0, 0];
      let lower = Math.min(y + 1, layer ? edges[(layer - 1) * width + x] : height);
      // All layers that reach into this pixel, this one first.
      for (let at = layer; at < layers && lower > y; at += 1) {
        const upper = Math.max(y, edges[at * width + x]);
        const word = wordOf(strata[at].tile, x, y);
        red += (word & 255) * (lower - upper);
        green += ((word >>> 8) & 255) * (lower - upper);
        blue += ((word >>> 16) & 255) * (lower - upper);
        share += lower - upper;
        lower = upper;
      }
      if (share > 0 && y < height) {
        const alpha = Math.round(Math.min(1, share) * 255);
        words[y * width + x] = (alpha << 24) | (Math.round(blue / share) << 16) | (Math.round(green / share) << 8) | Math.round(red / share);
      }
      // On to the first layer whose edge lies in another pixel.
      while (layer < layers && edges[layer * width + x] >= y) layer += 1;
    }
  }
}

function wordOf({ size, words }: Tile, x: number, y: number): number {
  return size === 1 ? words[0] : words[(y % size) * size + (x % size)];
}
