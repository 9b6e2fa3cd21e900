// The pages in a real browser, against the program's own server with generated sessions: 1 lives,
// 2 ended (a convoy), 3 has attacks for names, 4 has 300 threads.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { api, brightness, canvasColors, canvasHash, obstacle, SHOTS, startPages, until } from "./harness.mjs";

const skip = obstacle ?? false;
if (skip) console.log(`skipped: ${skip}`);

describe("pages", { skip, concurrency: false }, () => {
  let server, page, faults, open, close;

  before(async () => {
    ({ server, page, faults, open, close } = await startPages());
  });
  after(() => close?.());
  afterEach(() => assert.deepEqual(faults.splice(0), [], "the page reported errors"));

  const drawn = (selector) => until(`canvases ${selector}`, () => canvasColors(page, selector),
    (colors) => colors.length > 0 && colors.every((seen) => seen > 8));
  const address = (shape) => until("the address", () => page.evaluate(() => location.href), (href) => shape.test(href));
  const text = (selector) => page.locator(selector).first().innerText();

  test("the printed address works once", async () => {
    const second = await page.request.get(server.url, { headers: { cookie: "" } });
    assert.equal(second.status(), 401);
  });

  test("every chart of every page draws", async () => {
    await open("#/overview?s=1", ".spark canvas");
    assert.equal((await drawn("main:not([hidden]) canvas")).length, 4);
    await open("#/cpu?s=1", ".stack canvas");
    assert.equal((await drawn("main:not([hidden]) canvas")).length, 1);
    await open("#/gil?s=2&last=0", ".histogram canvas");
    assert.equal((await drawn("main:not([hidden]) canvas:not([aria-hidden])")).length, 7);
  });

  test("a remedy is tried and taken back, with figures before and after", async () => {
    await open("#/experiments?s=1", "main:not([hidden]) .tries");
    assert.match(await text("main:not([hidden]) .empty"), /Nothing was tried/);
    await page.getByRole("button", { name: "Try I/O threads first" }).click();
    await page.getByRole("heading", { name: "io-priority" }).waitFor();
    const rows = await page.$$eval("main:not([hidden]) tbody tr", (all) => all.map((row) => row.cells[0].textContent));
    assert.ok(rows.includes("wait for the GIL, p99"), rows.join());
    assert.notEqual(await text("main:not([hidden]) tbody tr td:nth-child(2)"), "–", "before is known");
    await page.screenshot({ path: `${SHOTS}/experiments.png` });
    await open("#/gil?s=1", "main:not([hidden]) [role=switch]");
    await page.getByRole("switch", { name: "I/O threads first: on" }).click();
    await page.getByRole("switch", { name: "I/O threads first: off" }).waitFor();
  });

  test("the CPU legend says what the API says", async () => {
    await open("#/cpu?s=2&last=0", ".legend li .value");
    const cpu = await api(server, "/api/sessions/2/cpu?px=500");
    const length_ns = cpu.range.end_ns - cpu.range.start_ns;
    const cores = (cpu_ns) => (cpu_ns / length_ns).toFixed(2);
    const all = cores(cpu.bands.reduce((sum, band) => sum + band.cpu_ns, 0));
    // The figures of another span stand there until those of this one have come.
    const [, ...fromTop] = await until("the legend", () => page.$$eval(".legend > ul:not(.parts) > li", (items) => items.map((item) =>
      [item.querySelector(".name").textContent, item.querySelector(".value").textContent])), ([first]) => first[1] === all);
    const bands = fromTop.reverse();
    assert.equal(bands[0][0], "MainThread", "the main thread stands at the bottom");
    const known = new Map(cpu.bands.map((band) => [band.name, cores(band.cpu_ns)]));
    const named = bands.filter(([name]) => known.has(name));
    assert.ok(named.length >= 8, `${named.length} bands are named`);
    for (const [name, value] of named) assert.equal(value, known.get(name), name);
    const more = bands.find(([name]) => /^\d+ more threads$/.test(name));
    assert.equal(named.length - 1 + parseInt(more[0], 10), cpu.bands.length - 1, "named and summed are all");
  });

  test("the GIL page says what the API says", async () => {
    await open("#/gil?s=2&last=0", ".matrix td");
    const count = (text) => Number(text.replaceAll(" ", ""));
    const blame = await api(server, "/api/sessions/2/blame");
    const first = page.locator("[aria-label='blame table'] tbody tr").first().locator("td");
    const lines = new Map();
    for (const row of blame) {
      const key = JSON.stringify([row.function, row.file, row.line, row.native_module]);
      lines.set(key, [...(lines.get(key) ?? []), row]);
    }
    const sum = (rows, key) => rows.reduce((sum, row) => sum + row[key], 0);
    const line = [...lines.values()].reduce((a, b) => (sum(b, "wait_inflicted_ns") > sum(a, "wait_inflicted_ns") ? b : a));
    const worst = line.reduce((a, b) => (b.wait_inflicted_ns > a.wait_inflicted_ns ? b : a));
    assert.equal(await first.nth(0).innerText(), worst.function);
    assert.equal((await first.nth(2).innerText()).split(/,| and /)[0], worst.thread_name);
    assert.equal(count(await first.nth(5).innerText()), sum(line, "waits"));
    const handoffs = await api(server, "/api/sessions/2/handoffs");
    const all = handoffs.reduce((sum, row) => sum + row.count, 0);
    assert.equal(count((await text(".matrix .hint")).split(" handoffs")[0]), all);
    const totals = await api(server, "/api/sessions/2/totals");
    const held = totals.held_ns / (totals.held_ns + totals.free_ns);
    assert.equal(await text(".figure-row dd"), `${(held * 100).toFixed(1)} %`);
    const threads = await api(server, "/api/sessions/2/threads");
    assert.equal(await page.locator("[aria-label='threads_gil table'] tbody tr").count(), threads.length);
  });

  test("the Frames page says what the report says", async () => {
    await open("#/frames?s=2&last=0", "[aria-label='frames_threads table'] tbody tr");
    assert.equal((await drawn("main:not([hidden]) canvas")).length, 1);
    const { frames } = await api(server, "/api/sessions/2/report.json");
    const rows = (name) => page.locator(`[aria-label='${name} table'] tbody tr`).count();
    assert.equal(await rows("frames_threads"), frames.threads.length);
    assert.equal(await rows("frames_modules"), frames.suspended.by_module.length);
    const first = await text("[aria-label='frames_functions table'] tbody tr");
    assert.ok(first.startsWith(frames.suspended.top[0].function), first);
    const count = (await page.locator("main:not([hidden]) .treemap > div").count());
    assert.equal(count, frames.suspended.by_module.length, "a tile for each module");
    assert.match(await text("main:not([hidden]) .figure-row"), /Idle\s+\d/);
  });

  test("the Imports page says what the report says, by memory and by time", async () => {
    await open("#/imports?s=2&last=0", "[aria-label='imports table'] tbody tr");
    const { imports } = await api(server, "/api/sessions/2/report.json");
    const dearest = (of) => imports.modules.reduce((a, b) => (b[of] > a[of] ? b : a)).name;
    const tops = () => page.$$eval("main:not([hidden]) .flame-box.level-1", (all) => all.map((box) => box.textContent));
    const outer = (of) => imports.modules.filter((row) => row.parent === null).sort((a, b) => b[of] - a[of]).map((row) => row.name);
    assert.equal((await drawn("main:not([hidden]) canvas")).length, 1);
    assert.ok((await text("[aria-label='imports table'] tbody tr")).startsWith(dearest("bytes_self")));
    assert.match(await text("main:not([hidden]) .figure-row"), new RegExp(`Imports\\s+${imports.count}\\s`));
    assert.deepEqual(await tops(), outer("bytes"), "widest first");
    await page.getByRole("button", { name: "Time", exact: true }).first().click();
    await address(/f\.weight=time/);
    await until("by time", tops, (names) => names.join() === outer("time_ns").join());
    await page.getByRole("button", { name: /^asyncio: / }).click();
    await until("one box", tops, (names) => names.join() === "asyncio");
    await page.getByRole("searchbox", { name: "Search imports" }).fill("json");
    const found = imports.modules.filter((row) => [row.name, row.importer].some((each) => each.includes("json")));
    await until("what is found", () => page.locator("[aria-label='imports table'] tbody tr").count(), (n) => n === found.length);
    await page.getByRole("searchbox", { name: "Search imports" }).fill("no such module");
    assert.match(await text("[aria-label='imports table'] .empty-line"), /No import has that/);
    await page.screenshot({ path: `${SHOTS}/imports.png`, fullPage: true });
  });

  test("tables sort by their headings, and the address keeps it", async () => {
    await open("#/gil?s=2&last=0", "[aria-label='threads_gil table'] tbody tr");
    const held = page.locator("[aria-label='threads_gil table'] th button", { hasText: "Held" });
    await held.click();
    const rows = await api(server, "/api/sessions/2/threads");
    const longest = rows.reduce((a, b) => (b.gil.hold_ns > a.gil.hold_ns ? b : a));
    assert.match(await text("[aria-label='threads_gil table'] tbody tr td"), new RegExp(`^${longest.name}`));
    await address(/sort\.threads_gil=-hold_ns/);
    await held.click();
    await address(/sort\.threads_gil=hold_ns/);
  });

  test("a living target's charts move, pause and go on", async () => {
    await open("#/cpu?s=1&last=30", ".stack canvas");
    await drawn(".stack canvas");
    const moves = async () => {
      const now = await canvasHash(page, ".stack canvas");
      await until("the chart", () => canvasHash(page, ".stack canvas"), (hash) => hash !== now);
    };
    await moves();
    await page.keyboard.press(" ");
    await until("the status", () => text(".status"), (status) => / to /.test(status));
    await address(/from=\d+&to=\d+/);
    const fixed = await until("a still chart", async () => {
      const before = await canvasHash(page, ".stack canvas");
      await page.waitForTimeout(700);
      return before === await canvasHash(page, ".stack canvas") && before;
    }, Boolean);
    assert.notEqual(fixed, false);
    await page.keyboard.press("0");
    await address(/^(?!.*from=)/);
    await moves();
  });

  test("dragging over a chart selects that span, and z looks at it", async () => {
    await open("#/cpu?s=2&last=0", ".stack canvas");
    await drawn(".stack canvas");
    const box = await page.locator(".stack .u-over").boundingBox();
    await page.mouse.move(box.x + box.width / 4, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 60, { steps: 5 });
    await page.mouse.up();
    const [, from, to] = /sel=(\d+)-(\d+)/.exec(await address(/sel=/));
    const { range } = await api(server, "/api/sessions/2");
    const share = (to - from) / (range.end_ns - range.start_ns);
    assert.ok(share > 0.23 && share < 0.27, `a quarter was drawn, ${share} is selected`);
    const rows = await api(server, `/api/sessions/2/threads?from_ns=${from}&to_ns=${to}`);
    const cpu_s = Math.max(...rows.map((row) => row.cpu.cpu_ns)) / 1e9;
    await until("the table", () => text("[aria-label='threads_cpu table'] tbody .bar-text"),
      (shown) => Math.abs(parseFloat(shown) - cpu_s) < 0.006 * cpu_s + 0.05);
    await page.keyboard.press("z");
    await address(new RegExp(`from=${from}&to=${to}(?!.*sel)`));
    await page.goBack();
    await address(/sel=/);
    await page.keyboard.press("Escape");
    await address(/^(?!.*sel)/);
  });

  test("the key m marks the moment, and the mark can be taken away", async () => {
    await open("#/cpu?s=1", ".stack canvas");
    await drawn(".stack canvas");
    await page.keyboard.press("m");
    await page.locator("dialog input").fill("after the change");
    await page.keyboard.press("Enter");
    await page.locator(".chip-name", { hasText: "after the change" }).waitFor();
    const { marks, range } = await api(server, "/api/sessions/1");
    const mark = marks.find((mark) => mark.name === "after the change");
    assert.ok(range.end_ns - mark.at_ns < 20e9 && mark.at_ns - range.end_ns < 2e9, "the mark is at about now");
    await page.getByLabel("Rename mark after the change").click();
    await page.locator("dialog input").fill("after the fix");
    await page.keyboard.press("Enter");
    await page.locator(".chip-name", { hasText: "after the fix" }).waitFor();
    await page.getByLabel("Remove mark after the fix").click();
    await until("the marks", () => api(server, "/api/sessions/1"), ({ marks }) => !marks.some(({ id }) => id === mark.id));
    await api(server, "/api/sessions/1/marks", { method: "POST", body: JSON.stringify({ name: "from outside" }) });
    await page.locator(".chip-name", { hasText: "from outside" }).waitFor();
  });

  test("export buttons give files", async () => {
    const kinds = [["SVG", /^(<\?xml|<svg)/], ["PNG", /^\x89PNG/], ["CSV", /^\w+,[^\n]+\n[^\n]+,/]];
    for (const [hash, panels] of [["#/cpu?s=2&last=0", 1], ["#/gil?s=2&last=0", 10], ["#/overview?s=2&last=0", 4]]) {
      await open(hash, "main:not([hidden]) .tools button:visible");
      for (const [kind, shape] of kinds) {
        const buttons = page.locator("main:not([hidden]) .tools button:visible", { hasText: new RegExp(`^${kind}$`) });
        assert.equal(await buttons.count(), panels);
        for (const button of await buttons.all()) {
          const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
          assert.match(await readFile(await download.path(), "latin1"), shape, download.suggestedFilename());
        }
      }
    }
    await open("#/overview?s=2", ".facts dd");
    const [report] = await Promise.all([page.waitForEvent("download"), page.getByText("Report (JSON)").click()]);
    assert.equal(JSON.parse(await readFile(await report.path(), "utf8")).schema, "gilscope.report/1");
  });

  test("names that are attacks are shown as names", async () => {
    for (const name of ["overview", "cpu", "gil", "frames", "imports", "targets"]) {
      await open(`#/${name}?s=3&last=0`, "main:not([hidden]) td, main:not([hidden]) dd");
      await page.waitForTimeout(300);
      assert.equal(await page.evaluate(() => window.pwned), undefined, name);
      assert.ok((await page.locator("body").innerText()).includes("<script>window.pwned=1</script>") || name === "targets");
    }
    assert.match(await text(".table"), /<img src=x onerror=window\.pwned=1>/);
  });

  test("every action has a key", async () => {
    await open("#/overview?s=1", ".spark canvas");
    for (const [key, name] of [["2", "cpu"], ["3", "gil"], ["4", "states"], ["5", "frames"], ["6", "imports"], ["7", "targets"], ["1", "overview"]]) {
      await page.keyboard.press(key);
      await address(new RegExp(`#/${name}`));
    }
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const before = await theme();
    await page.keyboard.press("t");
    assert.notEqual(await theme(), before);
    await page.keyboard.press("t");
    assert.equal(await theme(), before);
    await page.keyboard.press("}");
    await address(/s=2/);
    await page.keyboard.press("?");
    assert.match(await text("dialog"), /pause, or follow what is live/);
    await page.keyboard.press("Escape");
  });

  test("nothing is wider than the window, in both themes and sizes", async () => {
    const pages = { overview: "s=1", cpu: "s=1", gil: "s=2&last=0", frames: "s=1", imports: "s=2&last=0", targets: "", hostile: "s=3&last=0", wide: "s=4&last=0" };
    const paths = { hostile: "cpu", wide: "cpu" };
    for (const [width, height] of [[1440, 900], [900, 700], [390, 844]]) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        for (const [name, query] of Object.entries(pages)) {
          await open(`#/${paths[name] ?? name}?${query}`, "main:not([hidden]) td, main:not([hidden]) dd");
          await page.waitForTimeout(400);
          const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(surplus <= 0, `${name} at ${width} is ${surplus} px too wide`);
          await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png`, fullPage: true });
        }
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test("the CPU page looks as it did, coarsely", async () => {
    const file = new URL("coarse.json", import.meta.url);
    const known = JSON.parse(await readFile(file, "utf8"));
    const seen = {};
    for (const [name, query] of [["whole", ""], ["parts", "&split=1"], ["selected", "&sel=9000000000-12000000000"]]) {
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await open(`#/cpu?s=2&last=0${query}`, ".legend li .value");
        await drawn(".stack canvas");
        await page.locator("[aria-label='threads_cpu table'] tbody tr").nth(4).waitFor();
        await page.mouse.move(5, 5);
        await page.waitForTimeout(400);
        const png = await page.locator("main:not([hidden]) .panel").first().screenshot({ path: `${SHOTS}/coarse-${name}-${colorScheme}.png` });
        seen[`${name}-${colorScheme}`] = await brightness(page, png);
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
    if (process.env.PAGES_COARSE_UPDATE) return writeFile(file, `${JSON.stringify(seen).replaceAll("],", "],\n")}\n`);
    for (const [name, blocks] of Object.entries(seen)) {
      const off = blocks.filter((value, at) => Math.abs(value - known[name]?.[at]) > 24);
      assert.ok(blocks.length === known[name]?.length && off.length <= 4, `${name} looks different in ${off.length} of ${blocks.length} blocks; see ${SHOTS}`);
    }
  });

  test("a target that is left stays with its reason", async () => {
    await open("#/targets", ".table button");
    await page.getByRole("button", { name: /^Detach/ }).first().click();
    await page.locator("td", { hasText: "detached on the dashboard" }).waitFor();
    await open("#/cpu?s=1", ".stack canvas");
    assert.match(await text(".banner"), /was watched until .*, then detached on the dashboard; it went on\. Its figures are final\./);
    await page.getByRole("button", { name: "Targets" }).click();
    await page.getByRole("button", { name: /^Attach/ }).click();
    assert.match(await text(".toast.failed"), /process 901 exited meanwhile/);
    faults.splice(0); // a refused request is reported on the console by Chromium itself
  });

  test("a lost connection is said", async () => {
    await open("#/cpu?s=1", ".stack canvas");
    await server.stop();
    await page.locator(".banner.alarming").waitFor();
    assert.match(await text(".banner"), /Connection lost/);
    await page.screenshot({ path: `${SHOTS}/lost.png` });
    faults.splice(0); // so is a server that does not answer
  });
});
