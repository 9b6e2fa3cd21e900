// What the pages are like to use: how soon the first complete picture stands, how many frames a second
// panning gives, and how live a live target is. `node bench.mjs`, against release builds; prints figures
// beside their aims, writes them to target/pages-bench.json, and judges nothing.
//
// Opened are a generated session of 300 threads and, by the program itself, the recording that
// PAGES_RECORDING names; the example `generate` makes one: `generate day.gilscope 86400 40 1000 1000` is a day,
// and takes it minutes.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { built, startBrowser, startServer, TARGET } from "./harness.mjs";
import { startGilscope } from "./served.mjs";

const SECONDS = Number(process.env.SECONDS ?? 5);
const OPENINGS = 5;
const AIMS = { open_ms: 1000, frames_per_s: 30 };
const LIVE = [
  ["CPU, 30 s", "#/cpu?s=1&last=30"], ["CPU, 2 min", "#/cpu?s=1"], ["CPU in parts, 2 min", "#/cpu?s=1&split=1"],
  ["CPU, all", "#/cpu?s=1&last=0"], ["GIL, 2 min", "#/gil?s=1"], ["overview", "#/overview?s=1"],
];
const PAGES = ["overview", "cpu", "gil"];

/** Runs in the page before it: notes when the first frame is shown in which nothing is missing. */
function watchOpening() {
  const whole = {
    overview: () => document.querySelectorAll(".spark canvas").length === 4 && document.querySelector(".facts dd"),
    cpu: () => document.querySelector(".stack canvas") && document.querySelector("[aria-label='threads_cpu table'] td"),
    gil: () => document.querySelectorAll(".chart-box .chart canvas").length === 2 && document.querySelector(".matrix td")
      && /thread/.test(document.querySelector(".lanes canvas")?.getAttribute("aria-label").split(". ")[1] ?? ""),
  };
  const frame = () => {
    const page = /#\/(\w+)/.exec(location.hash)?.[1];
    if (whole[page]?.()) requestAnimationFrame((now) => (window.openedAfter_ms = now));
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

/** Runs in the page: the times of frames and of long tasks in the next seconds; `pans` moves the timeline
 *  by a wheel with Shift in each frame, to and fro. */
function measure({ seconds, pans }) {
  return new Promise((resolve) => {
    const frames = [];
    const tasks = [];
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration))).observe({ type: "longtask" });
    const canvas = document.querySelector(".lanes canvas");
    const begin = performance.now();
    let last = null;
    const frame = (now) => {
      if (last !== null) frames.push(now - last);
      last = now;
      if (now - begin >= seconds * 1000) return resolve({ frames, tasks, took_ms: now - begin });
      if (pans) {
        const deltaY = Math.floor((now - begin) / 1500) % 2 ? -24 : 24;
        canvas.dispatchEvent(new WheelEvent("wheel", { deltaY, shiftKey: true, bubbles: true, cancelable: true }));
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;
const rounded = (value) => Math.round(value * 10) / 10;

function pace({ frames, tasks }) {
  const all_ms = frames.reduce((sum, ms) => sum + ms, 0);
  return {
    frames_per_s: rounded(frames.length * 1000 / all_ms), p50_ms: rounded(quantile(frames, 0.5)),
    p95_ms: rounded(quantile(frames, 0.95)), max_ms: rounded(Math.max(...frames)), long_tasks: tasks.length,
  };
}

/** Opens a page anew, several times, each in a window of its own. */
async function openings(page, address) {
  const times = [];
  for (let turn = 0; turn < OPENINGS; turn += 1) {
    const opened = await page.context().newPage();
    await opened.addInitScript(watchOpening);
    await opened.goto(address);
    const opened_ms = await opened.waitForFunction(() => window.openedAfter_ms, null, { timeout: 60_000 });
    times.push(await opened_ms.jsonValue());
    await opened.close();
  }
  return { p50_ms: rounded(quantile(times, 0.5)), max_ms: rounded(Math.max(...times)) };
}

/** From where to where a session is, ns; asked by the page, which is logged in. */
const rangeOf = async (page, session) =>
  (await page.evaluate(async (path) => (await fetch(path)).json(), `/api/sessions/${session}`)).range;

/** Pans the timeline of a session in views of several lengths. */
async function pans(page, server, session, what) {
  const range = await rangeOf(page, session);
  const length_ns = range.end_ns - range.start_ns;
  const rows = [];
  for (const view_ns of [6 * 3600e9, 3600e9, 60e9, 2e9, 100e6, 5e6].filter((view_ns) => view_ns <= length_ns / 3)) {
    const from = Math.round(range.start_ns + length_ns / 3);
    await page.goto(`${server.origin}/#/gil?s=${session}&from=${from}&to=${Math.round(from + view_ns)}`);
    await page.locator(".lanes canvas").first().waitFor();
    await page.waitForTimeout(1500);
    const view = view_ns >= 3600e9 ? `${view_ns / 3600e9} h` : view_ns >= 1e9 ? `${view_ns / 1e9} s` : `${view_ns / 1e6} ms`;
    rows.push({ what, view, ...pace(await page.evaluate(measure, { seconds: SECONDS, pans: true })) });
  }
  return rows;
}

async function lives(page, server) {
  let [messages, bytes] = [0, 0];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
    if (typeof payload === "string") return;
    messages += 1;
    bytes += payload.length;
  }));
  await page.reload();
  const rows = [];
  for (const [view, hash] of LIVE) {
    await page.goto(`${server.origin}/${hash}`);
    await page.waitForTimeout(2000);
    [messages, bytes] = [0, 0];
    const seen = await page.evaluate(measure, { seconds: SECONDS, pans: false });
    rows.push({ view, series_per_s: rounded(messages * 1000 / seen.took_ms), kB_per_s: rounded(bytes / seen.took_ms), ...pace(seen) });
  }
  return rows;
}

async function openAndPan(server, page, session, what) {
  const opened = [];
  for (const name of PAGES) opened.push({ what, page: name, ...await openings(page, `${server.origin}/#/${name}?s=${session}&last=0`) });
  return { opened, panned: await pans(page, server, session, what) };
}

/** A session by what starts it: `use` gets the server and a page. */
async function during(start, use) {
  const server = await start();
  const { browser, page } = await startBrowser(server);
  try {
    return await use(server, page);
  } finally {
    await browser.close();
    await server.stop();
  }
}

process.env.PAGES_SERVER ??= built("release/examples/pages", "--release", "-p", "dashboard", "--example", "pages", "--features", "generator");
const wide = await during(startServer, (server, page) => openAndPan(server, page, 4, "300 threads"));
const live = await during(startServer, (server, page) => lives(page, server));
const { PAGES_RECORDING } = process.env;
if (!PAGES_RECORDING) console.log("skipped: a recording; PAGES_RECORDING names none");
const recorded = PAGES_RECORDING && await during(() => startGilscope(["serve", PAGES_RECORDING]), async (server, page) => {
  const { start_ns, end_ns } = await rangeOf(page, 1);
  return openAndPan(server, page, 1, `recording of ${rounded((end_ns - start_ns) / 3600e9)} h`);
});
const parts = [wide, recorded].filter(Boolean);
const opened = parts.flatMap((part) => part.opened);
const panned = parts.flatMap((part) => part.panned);
console.log(`First complete picture; the aim is at most ${AIMS.open_ms} ms:`);
console.table(opened);
console.log(`Panning the timeline; the aim is at least ${AIMS.frames_per_s} frames a second:`);
console.table(panned);
console.log("A live target:");
console.table(live);
const json = `${TARGET}/pages-bench.json`;
writeFileSync(json, `${JSON.stringify({ at: new Date().toISOString(), cores: cpus().length, aims: AIMS, opened, panned, live }, null, 1)}\n`);
console.log(json);
