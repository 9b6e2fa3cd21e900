// Which colour a thread has: Okabe and Ito's colours (jfly.uni-koeln.de/color), which colour-blind
// people can tell apart, and Paul Tol's wine to make eight. The same as on paper (dashboard/src/plot).

import type { Band } from "./types";
import { color } from "./theme";

/** In the order in which neighbours in a stack differ most. */
export const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#56b4e9", "#882255", "#cc79a7"];

/** One colour a band: the main thread is dark grey, the others take the palette in turn. */
export function bandColors(bands: Band[]): string[] {
  let next = 0;
  return bands.map((band) => {
    if (band.of === "exited") return color("exited");
    if ("more" in band.of) return color("more");
    if ("main" in band.of) return color("main-thread");
    return PALETTE[next++ % PALETTE.length];
  });
}
