// Makes the README's pictures out of a real process: `node pictures.mjs`. Each page, light and dark, into
// dashboard/assets. Needs Chromium and what `gilscope demo` needs.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { startBrowser } from "./harness.mjs";
import { startGilscope } from "./served.mjs";

const ASSETS = fileURLToPath(new URL("../../dashboard/assets", import.meta.url));
const BYTES_MAX = 350_000;
/** What to look at, what tells that it is drawn, and how high it is. */
const PAGES = {
  "cpu-page": ["#/cpu?s=1&last=30", ".stack canvas", 800],
  "gil-page": ["#/gil?s=1&last=30", "main:not([hidden]) canvas", 1120],
  overview: ["#/overview?s=1&last=30", ".spark canvas", 800],
};

const folder = mkdtempSync(`${tmpdir()}/gilscope-pictures-`);
const daemon = await startGilscope(["demo", "-o", `${folder}/demo`, "-d", "26s"]);
const { browser, page } = await startBrowser(daemon);
try {
  await page.waitForTimeout(25_000); // a chart that is full tells more
  for (const [name, [hash, ready, height]] of Object.entries(PAGES)) {
    await page.setViewportSize({ width: 1280, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.goto(`${daemon.origin}/${hash}`);
      await page.locator(ready).first().waitFor();
      await page.waitForTimeout(1500);
      const path = `${ASSETS}/${name}${colorScheme === "dark" ? "-dark" : ""}.png`;
      await page.screenshot({ path });
      const { size } = statSync(path);
      console.log(`${path}: ${(size / 1000).toFixed(0)} kB`);
      if (size > BYTES_MAX) throw new Error(`${path} has ${size} bytes; at most ${BYTES_MAX} are wanted`);
    }
  }
} finally {
  await browser.close();
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}
