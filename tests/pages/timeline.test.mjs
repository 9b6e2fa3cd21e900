// The timeline of the GIL page in a real browser, against the API's own figures.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { api, canvasColors, obstacle, SHOTS, startPages, until } from "./harness.mjs";

const skip = obstacle ?? false;
if (skip) console.log(`skipped: ${skip}`);

describe("timeline", { skip, concurrency: false }, () => {
  let server, page, faults, visit, close;
  const canvas = ".lanes canvas";

  before(async () => {
    ({ server, page, faults, open: visit, close } = await startPages());
  });
  after(() => close?.());
  afterEach(() => assert.deepEqual(faults.splice(0), [], "the page reported errors"));

  const status = () => page.locator(".lane-status").innerText();
  const range = () => page.evaluate(() => {
    const found = /from=(\d+)&to=(\d+)/.exec(location.hash);
    return found && [Number(found[1]), Number(found[2])];
  });
  const open = async (hash, said) => {
    await visit(hash, canvas);
    await page.locator(canvas).scrollIntoViewIfNeeded();
    await until("the lanes", status, (text) => said.test(text));
  };

  test("the shares behind the lanes sum to what the API counted", async () => {
    const { range: whole } = await api(server, "/api/sessions/2");
    const threads = await api(server, "/api/sessions/2/threads");
    const keys = threads.map((row) => row.key).filter((key) => key < 1e6);
    const answer = await fetch(`${server.origin}/api/sessions/2/lanes?px=400&threads=${keys.join()}`, { headers: { Authorization: `Bearer ${server.token}` } });
    const bytes = await answer.arrayBuffer();
    const length = new DataView(bytes).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    assert.deepEqual(header.range, whole);
    assert.equal(bytes.byteLength, 4 + length + 64 * header.n_spans + 4 * header.count * keys.length);
    const shares = new Uint8Array(bytes, 4 + length + 64 * header.n_spans);
    for (const [lane, key] of header.threads.entries()) {
      const held = shares.subarray(lane * 4 * header.count, (lane * 4 + 1) * header.count).reduce((a, b) => a + b, 0);
      const truth = threads.find((row) => row.key === key).gil.hold_ns;
      const shown = (held / 255) * header.step_ns;
      // A share is a whole 255th, and never rounded to nothing.
      assert.ok(Math.abs(shown - truth) <= (header.count * header.step_ns) / 255 + 1, `${key}: ${shown} of ${truth}`);
    }
  });

  test("zooming goes down to single handoffs, and the address keeps it", async () => {
    await open("#/gil?s=2&from=20000000000&to=20060000000", /handoffs as arrows/);
    await until("the picture", () => canvasColors(page, canvas), ([seen]) => seen > 8);
    await page.locator(canvas).focus();
    const [from, to] = await range();
    await page.keyboard.press("+");
    const [nearer, end] = await until("a nearer view", range, (now) => now && now[1] - now[0] < to - from);
    assert.equal(end - nearer, (to - from) / 2);
    await page.keyboard.press("d");
    await until("a later view", range, (now) => now[0] > nearer);
    await page.keyboard.press("f");
    const { range: whole } = await api(server, "/api/sessions/2");
    await until("all of it", range, (now) => now[0] === whole.start_ns && now[1] === whole.end_ns);
    await page.screenshot({ path: `${SHOTS}/timeline.png` });
  });

  test("arrow keys go from event to event and say what is there", async () => {
    await open("#/gil?s=2&from=20000000000&to=20060000000", /handoffs as arrows/);
    await page.locator(canvas).focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
    const said = await until("what is said", () => page.locator(".timeline [aria-live]").textContent(), (text) => / (waited|held) /.test(text));
    assert.match(said, /cruncher-1 (waited [\d.]+ \S+ for|held the GIL for [\d.]+)/);
    await page.keyboard.press("Enter");
    await until("the event", range, (now) => now && now[1] - now[0] < 30e6);
  });

  test("filters keep what they name, and the address keeps them", async () => {
    await open("#/gil?s=2&last=0", /14 threads/);
    await page.locator(".filters input").first().fill("cruncher");
    await until("the lanes", status, (text) => /^1 thread,/.test(text));
    assert.match(await page.evaluate(() => location.hash), /thread=cruncher/);
    await page.getByRole("button", { name: "Clear" }).click();
    await until("the lanes", status, (text) => /^14 threads,/.test(text));
  });

  test("the table behind the picture has every lane, with what the API says of it", async () => {
    await visit("#/gil?s=4&last=0&tables=lanes", ".chart-box tbody tr");
    const threads = (await api(server, "/api/sessions/4/threads")).filter((row) => row.thread_id !== 0);
    const lanes = () => page.$$eval(".chart-box:has(.timeline) tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))
      .filter(([what]) => what === "all of the view"));
    const rows = await until("the lanes", lanes, (rows) => rows.length === threads.length && rows.every((row) => row[3] !== "–"));
    assert.ok(rows.length >= 300, `${rows.length} lanes`);
    const shown = new Set(rows.map(([, name]) => name));
    assert.deepEqual(threads.filter((row) => !shown.has(row.name)), []);
    const [, , , held] = rows.find(([, name]) => name === "cruncher-1");
    const { hold_ns } = threads.find((row) => row.name === "cruncher-1").gil;
    const [value, unit] = held.split(" ");
    const held_ns = value * { s: 1e9, ms: 1e6 }[unit];
    assert.ok(Math.abs(held_ns - hold_ns) < 0.01 * hold_ns + 2e7, `${held} shown, ${hold_ns} counted`);
  });

  test("the flame graph is as wide as the API's blame", async () => {
    await open("#/gil?s=2&last=0", /14 threads/);
    const blame = await api(server, "/api/sessions/2/blame");
    const all = blame.reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    const worst = blame.filter((row) => row.thread_name === "cruncher-1").reduce((sum, row) => sum + row.wait_inflicted_ns, 0);
    const width = await page.locator(".flame-box.level-1", { hasText: "cruncher-1" }).first().evaluate((box) => parseFloat(box.style.width));
    assert.ok(Math.abs(width / 100 - worst / all) < 1e-6, `${width} % for ${worst} of ${all}`);
  });
});
