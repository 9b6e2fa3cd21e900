// What a page owes to those who do not see it or do not use a mouse: axe-core finds nothing, the keyboard
// reaches everything, every chart is a sentence and a table, too.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { api, obstacle, startPages, until } from "./harness.mjs";

const skip = obstacle ?? false;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PAGES = [
  "#/overview?s=2&last=0", "#/targets", "#/gil?s=2&last=0", "#/imports?s=2&last=0", "#/cpu?s=3&last=0", "#/cpu?s=2&last=0&tables=cpu",
  "#/gil?s=2&last=0&tables=held,lanes,gil-wait",
  "#/cpu?s=2&last=0&split=1&sel=9000000000-12000000000&pin=2-1000000000-5000000000",
];

describe("accessibility", { skip, concurrency: false }, () => {
  let server, page, open, close;

  before(async () => {
    ({ server, page, open, close } = await startPages());
  });
  after(() => close?.());
  const said = (shape) => until("what is said", () => page.locator(".for-screen-readers[aria-live]").allInnerTexts(),
    (texts) => texts.some((text) => shape.test(text)));

  test("axe finds nothing on any page, in light and in dark, and on a phone", async () => {
    await page.goto(server.origin);
    for (const [colorScheme, width, height] of [["light", 1440, 900], ["dark", 1440, 900], ["light", 390, 844]]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const hash of PAGES) {
        await open(hash, "main:not([hidden]) :is(td, dd):visible");
        await page.waitForTimeout(300);
        // Not as a script element: the pages' policy forbids that.
        if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
        const found = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), RULES);
        assert.ok(found.passes.length > 20, `axe looked at ${hash}`);
        const faults = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" ")}`);
        assert.deepEqual(faults, [], `${hash} in ${colorScheme}, ${width} px wide`);
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
  });

  test("the keyboard moves the cursor of a chart, which is said, and selects", async () => {
    await open("#/cpu?s=2&last=0", "[data-page=cpu] .stack canvas");
    await page.locator("[data-page=cpu] .stack .chart").focus();
    await page.keyboard.press("Home");
    await said(/^\d\d:\d\d:\d\d.*all threads \d\.\d\d; MainThread/);
    await page.keyboard.press("ArrowRight");
    await page.locator(".legend .when", { hasText: /^at / }).waitFor();
    for (let press = 0; press < 3; press += 1) await page.keyboard.press("Shift+PageUp");
    await until("the selection", () => page.evaluate(() => location.hash), (hash) => /sel=\d+-\d+/.test(hash));
    await page.keyboard.press("Escape");
    await until("no selection", () => page.evaluate(() => location.hash), (hash) => !/sel=/.test(hash));
  });

  test("[ and ] go from mark to mark", async () => {
    const { marks } = await api(server, "/api/sessions/2");
    await open("#/cpu?s=2&last=0", "main:not([hidden]) .chip");
    await page.locator("[data-page=cpu] .stack .chart").focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("]");
    await said(/^Mark /);
    const first = await page.locator(".for-screen-readers[aria-live]").innerText();
    await page.keyboard.press("]");
    await until("another mark", () => page.locator(".for-screen-readers[aria-live]").innerText(),
      (text) => text !== first && marks.some(({ name }) => text === `Mark ${name}`));
  });

  test("every chart has a summary, and the table behind it says what the chart says", async () => {
    await open("#/cpu?s=2&last=0", "[data-page=cpu] .stack canvas");
    const summary = await page.locator("[data-page=cpu] .stack .chart").getAttribute("aria-label");
    assert.match(summary, /stacked by thread\. Mean over .*MainThread \d\.\d\d, cruncher-1 0\.\d\d/);
    await page.getByRole("button", { name: "Table" }).click();
    await page.locator("[data-page=cpu] .stack table tbody tr").first().waitFor();
    const heads = await page.locator("[data-page=cpu] .stack thead th").allInnerTexts();
    assert.deepEqual(heads.slice(0, 4), ["Time", "all threads", "MainThread", "cruncher-1"]);
    const rows = await page.$$eval("[data-page=cpu] .stack tbody tr", (rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => Number(cell.textContent))));
    assert.ok(rows.length > 20);
    for (const [total, ...bands] of rows) {
      assert.ok(Math.abs(bands.reduce((sum, cores) => sum + cores, 0) - total) < 0.07, `${bands} add up to ${total}`);
    }
  });
});
