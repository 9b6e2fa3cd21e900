// The targets page and the overview with real targets: attach by button, see what stands out, record,
// download, open, detach, and a target that ends.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { obstacle, SHOTS, startPages, until } from "./harness.mjs";
import { noTargets, startGilscope, startProgram } from "./served.mjs";

const skip = obstacle ?? noTargets ?? false;
if (skip) console.log(`skipped: ${skip}`);

describe("targets", { skip, concurrency: false }, () => {
  let gilscope, page, faults, open, close, program;

  before(async () => {
    program = await startProgram("blame.py", ["blocked"]);
    ({ server: gilscope, page, faults, open, close } = await startPages(() => startGilscope(["serve"])));
  });
  after(async () => {
    await close?.();
    await program?.kill();
  });
  afterEach(() => assert.deepEqual(faults.splice(0), [], "the page reported errors"));

  const table = (name) => page.locator(`[aria-label='${name} table'] tbody tr`);
  const rowOf = (name, text) => table(name).filter({ hasText: text });
  const press = (row, name) => row.getByRole("button", { name, exact: true }).click();
  const shot = async (name) => {
    for (const [width, height] of [[1440, 900], [900, 700], [390, 844]]) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(250);
        await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png`, fullPage: true });
        const surplus = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(surplus <= 0, `${name} at ${width} is ${surplus} px too wide`);
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  };

  test("without a session the pages say what to do next", async () => {
    await open("#/overview");
    await page.locator(".empty", { hasText: "Nothing is watched yet" }).waitFor();
    await page.getByRole("button", { name: "Choose a process" }).click();
    await page.locator(".empty-line", { hasText: "Attach to a process below" }).waitFor();
    await page.locator(".empty-line", { hasText: "No recording is in this folder yet" }).waitFor();
  });

  test("a process is attached by its button, and the call that keeps its GIL is named", async () => {
    program.say("go");
    await open("#/targets");
    await press(rowOf("processes", `${program.pid}`), "Attach");
    await page.locator(".facts", { hasText: String(program.pid) }).waitFor();
    const finding = page.locator(".finding-text", { hasText: "kept the GIL" });
    await finding.waitFor({ timeout: 30_000 });
    assert.match(await finding.innerText(), /^holder kept the GIL in hold_blocked, blame\.py:\d+ for up to [\d.]+ m?s while others asked for it, in C code of \S+: [\d.]+ m?s of waiting in [\d\s]+ waits\.$/);
    await shot("real-overview");
  });

  test("the finding leads to its evidence", async () => {
    await page.locator(".finding").filter({ hasText: "kept the GIL" }).getByRole("button").click();
    await until("the address", () => page.evaluate(() => location.hash), (hash) => hash.startsWith("#/gil"));
    const first = rowOf("blame", "hold_blocked").first();
    await first.waitFor();
    assert.match(await first.innerText(), /blame\.py/);
  });

  test("gilscope's own cost is shown as measured and as estimated", async () => {
    await open("#/overview");
    const cost = (name) => page.locator(".cost dt", { hasText: name }).locator("xpath=following-sibling::dd[1]").innerText();
    await until("CPU", () => cost("CPU of gilscope"), (text) => /^[\d.]+ % of a core/.test(text));
    const [, mib] = /^([\d.]+) MiB$/.exec(await until("memory", () => cost("Memory of gilscope"), (text) => text.endsWith(" MiB")));
    const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gilscope.pid}/status`, "utf8"))[1] / 1024;
    assert.ok(mib > resident / 2 && mib < resident * 2, `${mib} MiB shown, the kernel says ${resident}`);
    const maps = readFileSync(`/proc/${program.pid}/maps`, "utf8").split("\n").filter((line) => line.includes("/memfd:gilscope"));
    const mapped = maps.reduce((sum, line) => {
      const [from, to] = line.split(" ")[0].split("-").map((hex) => parseInt(hex, 16));
      return sum + to - from;
    }, 0) / 2 ** 20;
    const [, shown, unit] = /^([\d.]+) (KiB|MiB|GiB) of addresses/.exec(await cost("Mapped in the target"));
    const shown_mib = shown * { KiB: 1 / 1024, MiB: 1, GiB: 1024 }[unit];
    assert.ok(Math.abs(shown_mib - mapped) <= 0.01 * mapped, `${shown} ${unit} shown, maps say ${mapped} MiB`);
    const estimate = /^(about|less than) [\d.]+ % of a core, an estimate: [\d.\s]+ cycles a second × \d+ ns$/;
    await until("hooks", () => cost("Hooks in the target"), (text) => estimate.test(text));
  });

  test("a running session is recorded, and the file is downloaded and opened", async () => {
    await open("#/targets");
    const session = rowOf("sessions", `${program.pid}`).first();
    await press(session, "Record");
    await page.locator("td.recording-now", { hasText: "running, recorded" }).waitFor();
    const file = table("recordings").first();
    await file.waitFor();
    assert.equal(await file.getByRole("button").count(), 0, "what is being written is not given away");
    await page.waitForTimeout(2500); // as long as is worth keeping
    await press(session, "Stop recording");
    const [download] = await Promise.all([page.waitForEvent("download"), file.getByRole("button", { name: "Download" }).click()]);
    const saved = await readFile(await download.path());
    assert.equal(saved.subarray(0, 15).toString(), "SQLite format 3");
    assert.equal(saved.length, statSync(`${gilscope.folder}/${download.suggestedFilename()}`).size);
    await shot("real-targets");
    await press(file, "Open");
    await page.locator(".banner", { hasText: "it went on" }).waitFor();
    await page.locator(".finding-text", { hasText: /^holder kept the GIL in hold_blocked/ }).waitFor();
  });

  test("a session is left by its button, and the process goes on", async () => {
    await open("#/targets");
    await press(rowOf("sessions", "running").first(), "Detach");
    await rowOf("sessions", "detached on the dashboard").first().waitFor();
    assert.ok(readFileSync(`/proc/${program.pid}/status`, "utf8").includes("State:"), "it lives");
    await press(rowOf("processes", `${program.pid}`), "Attach");
    await page.locator(".facts dd", { hasText: "running" }).waitFor();
  });

  test("a target that ends stays, with its reason", async () => {
    program.say("stop");
    assert.equal(await program.leave(), 0);
    await page.locator(".banner", { hasText: /ended at .*: exited/ }).waitFor();
    await open("#/targets");
    await rowOf("sessions", "ended: exited").first().waitFor();
    await until("the processes", () => rowOf("processes", `${program.pid}`).count(), (rows) => rows === 0);
  });

  test("when gilscope is gone the page says so in place of tables", async () => {
    await open("#/targets");
    await table("sessions").first().waitFor();
    await gilscope.stop();
    await page.getByRole("button", { name: "Look again" }).click();
    await page.locator(".targets-state.failed", { hasText: "gilscope does not answer" }).first().waitFor();
    faults.splice(0); // a server that does not answer is reported on the console by Chromium itself
  });
});
