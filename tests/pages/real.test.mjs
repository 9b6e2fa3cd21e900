// The CPU page on a real process: parts that are true, before and after, the same picture on paper, a
// gilscope that is started anew.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { obstacle, SHOTS, startBrowser, until } from "./harness.mjs";
import { noTargets, startGilscope, startProgram } from "./served.mjs";

const skip = obstacle ?? noTargets ?? false;
if (skip) console.log(`skipped: ${skip}`);

describe("a real process", { skip, concurrency: false }, () => {
  let program, daemon, browser, page, faults;

  before(async () => {
    program = await startProgram("busy3.py");
    daemon = await startGilscope(["attach", String(program.pid)]);
    ({ browser, page, faults } = await startBrowser(daemon));
  });
  after(async () => {
    await browser?.close();
    await daemon?.stop();
    await program?.kill();
  });
  afterEach(() => assert.deepEqual(faults.splice(0), [], "the page reported errors"));

  const open = async (hash) => {
    await page.goto(`${daemon.origin}/${hash}`);
    await page.locator("[data-page=cpu] .stack canvas").waitFor();
  };
  const api = (path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
  const address = (shape) => until("the address", () => page.evaluate(() => location.hash), (hash) => shape.test(hash));

  test("threads that compute in Python run with the GIL, and wait for it off core", async () => {
    await open("#/cpu?split=1&last=0");
    await until("2 s of figures", () => api("/api/sessions/1"), ({ range }) => range.end_ns - range.start_ns > 2.5e9);
    const rows = await api("/api/sessions/1/threads?from_ns=1000000000");
    const busy = rows.filter((row) => /^cpu-\d$/.test(row.name));
    assert.equal(busy.length, 3);
    for (const { name, cpu, cpu_parts } of busy) {
      assert.ok(cpu.cpu_ns > 0 && cpu_parts.unknown_ns <= 0.2 * cpu.cpu_ns, `${name}: ${JSON.stringify(cpu_parts)}`);
      assert.ok(cpu_parts.holding_ns > 0.85 * (cpu.cpu_ns - cpu_parts.unknown_ns), `${name}: ${JSON.stringify({ cpu, cpu_parts })}`);
    }
    const parts = await until("the parts", () => page.$$eval("[data-page=cpu] .legend .parts li:not([hidden])", (items) =>
      Object.fromEntries(items.map((item) => [item.children[1].textContent, Number(item.children[2].textContent)]))),
      (parts) => parts["holding the GIL"] > 0);
    assert.ok(parts["holding the GIL"] > parts["running without it"], JSON.stringify(parts));
  });

  test("a page whose probe is off says how to put it on", async () => {
    await page.goto(`${daemon.origin}/#/imports?s=1`);
    const empty = page.locator("[data-page=imports] .empty");
    await empty.waitFor();
    assert.match(await empty.innerText(), /gilscope run --probes gil,cpu,imports/);
  });

  test("a pinned span stands beside another, with differences", async () => {
    const { range } = await api("/api/sessions/1");
    const middle = Math.round((range.start_ns + range.end_ns) / 2);
    await open(`#/cpu?s=1&from=${range.start_ns}&to=${range.end_ns}&sel=${range.start_ns}-${middle}`);
    await page.keyboard.press("p");
    await address(new RegExp(`pin=1-${range.start_ns}-${middle}`));
    await page.goto(`${daemon.origin}/#/cpu?s=1&from=${range.start_ns}&to=${range.end_ns}` +
      `&pin=1-${range.start_ns}-${middle}&sel=${middle}-${range.end_ns}`);
    const table = page.locator("[aria-label='compare table'] tbody tr");
    await table.nth(5).waitFor();
    const told = await api(`/api/sessions/1/compare?from_ns=${middle}&to_ns=${range.end_ns}` +
      `&before=1&before_from_ns=${range.start_ns}&before_to_ns=${middle}`);
    const cpu = told.figures.find(({ name }) => name === "cpu.total");
    const cells = await table.first().locator("td").allInnerTexts();
    assert.deepEqual(cells.slice(0, 3), ["CPU", cpu.before.toFixed(2), cpu.after.toFixed(2)]);
    assert.equal(await page.locator(".sides canvas").count(), 2);
    await page.screenshot({ path: `${SHOTS}/compare.png`, fullPage: true });
    await page.reload();
    await page.locator(".sides canvas").nth(1).waitFor();
    await page.keyboard.press("Escape");
    await address(/pin=(?!.*sel=)/);
    await page.keyboard.press("Escape");
    await address(/^(?!.*pin=)/);
    await page.locator(".sides").first().waitFor({ state: "hidden" });
  });

  for (const [query, plot] of [["", "cpu"], ["&split=1", "cpu-parts"]]) {
    test(`the picture on paper has the order, the colours and the names of the screen (${plot})`, async () => {
      await page.emulateMedia({ colorScheme: "light" });
      const { range } = await api("/api/sessions/1");
      await open(`#/cpu?s=1&from=${range.start_ns}&to=${range.end_ns}${query}`);
      const rgb = (items) => items.map((item) => [item.querySelector(".name").textContent,
        (getComputedStyle(item.querySelector(".swatch")).backgroundColor.match(/\d+/g) ?? []).slice(0, 3).map(Number)]);
      const button = page.locator("main:not([hidden]) .panel").first().getByRole("button", { name: "SVG" });
      const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
      assert.match(download.suggestedFilename(), new RegExp(`${plot}\\.svg$`));
      const svg = await readFile(await download.path(), "utf8");
      const paper = await page.evaluate(legendOnPaper, svg);
      assert.ok(paper.length > 2, JSON.stringify(paper));
      // What was drawn before stays until the figures of this span have come.
      await until(`the legend of ${JSON.stringify(paper)}`, () => page.$$eval(".legend > ul:not(.parts) > li", rgb),
        ([, ...screen]) => screen.length > 2 && isDeepStrictEqual(paper.slice(0, screen.length), screen));
      if (plot === "cpu-parts") assert.ok(paper.some(([name]) => name === "holding the GIL"), JSON.stringify(paper));
    });
  }

  test("a gilscope that is started anew is found again, with the same process", async () => {
    const port = new URL(daemon.origin).port;
    await open("#/cpu?s=1&from=1000000000&to=2000000000");
    assert.equal(await daemon.stop(), 0);
    await page.locator(".banner.alarming", { hasText: "Connection lost" }).waitFor();
    daemon = await startGilscope(["attach", String(program.pid)], port);
    await page.locator(".banner.alarming", { hasText: "Open the address" }).waitFor({ timeout: 20_000 });
    await page.screenshot({ path: `${SHOTS}/denied.png` });
    const second = await page.context().newPage();
    await second.goto(daemon.url);
    await second.locator(".brand").waitFor(); // a window that is closed on its way from the login may hang
    await second.close();
    await page.locator(".banner.alarming").waitFor({ state: "hidden", timeout: 20_000 });
    await address(/^(?!.*from=)/); // a span of another clock is let go of
    await page.locator(".status .state-live").waitFor();
    faults.splice(0); // Chromium itself tells of the requests that failed meanwhile
  });

  test("a target that is killed stays, and its figures are final", async () => {
    await program.kill();
    await page.locator(".banner", { hasText: /Process \d+ ended at .* Its figures are final\./ }).waitFor();
    await page.locator(".status .state-ended").waitFor();
  });
});

/** Names and colours of a plot's legend, from top to bottom. Runs in the page. */
function legendOnPaper(svg) {
  const document = new DOMParser().parseFromString(svg, "image/svg+xml");
  const number = (element, name) => Number(element.getAttribute(name));
  const swatches = [...document.querySelectorAll("rect")].filter((rect) => number(rect, "width") === 14 * 8 && number(rect, "height") === 14 * 8);
  const texts = [...document.querySelectorAll("text")];
  return swatches.map((rect) => {
    const middle = number(rect, "y") + 7 * 8;
    const right = number(rect, "x") + 14 * 8;
    const name = texts.find((text) => Math.abs(number(text, "y") - middle) < 8 * 8 && number(text, "x") > right && number(text, "x") < right + 20 * 8);
    const hex = /^#(..)(..)(..)$/.exec(rect.getAttribute("fill"))?.slice(1) ?? [];
    return [name?.textContent.trim() ?? "", hex.map((part) => parseInt(part, 16))];
  });
}
