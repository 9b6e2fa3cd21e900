// How live the pages are: updates a second that come in, frames a second that are shown, tasks that block
// for more than 50 ms. `node bench.mjs`; prints a table, judges nothing.
import { startBrowser, startServer } from "./harness.mjs";

const SECONDS = Number(process.env.SECONDS ?? 8);
const VIEWS = [
  ["CPU, 30 s", "#/cpu?s=1&last=30"], ["CPU, 2 min", "#/cpu?s=1"], ["CPU in parts, 2 min", "#/cpu?s=1&split=1"],
  ["CPU, all", "#/cpu?s=1&last=0"], ["GIL, 2 min", "#/gil?s=1"], ["overview", "#/overview?s=1"],
];

/** Runs in the page: what the next seconds are like. */
function measure(seconds) {
  return new Promise((resolve) => {
    const frames = [];
    const tasks = [];
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => tasks.push(entry.duration))).observe({ type: "longtask" });
    const begin = performance.now();
    let last = begin;
    const frame = (now) => {
      frames.push(now - last);
      last = now;
      if (now - begin < seconds * 1000) requestAnimationFrame(frame);
      else resolve({ frames, tasks, took_ms: now - begin });
    };
    requestAnimationFrame(frame);
  });
}

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? 0;

const server = await startServer();
const { browser, page } = await startBrowser(server);
let messages = 0;
let bytes = 0;
page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
  if (typeof payload === "string") return;
  messages += 1;
  bytes += payload.length;
}));
await page.reload();
const rows = [];
for (const [name, hash] of VIEWS) {
  await page.goto(`${server.origin}/${hash}`);
  await page.waitForTimeout(2000);
  [messages, bytes] = [0, 0];
  const { frames, tasks, took_ms } = await page.evaluate(measure, SECONDS);
  rows.push({
    view: name,
    "series/s": (messages * 1000 / took_ms).toFixed(1),
    "kB/s": (bytes / took_ms).toFixed(0),
    "frames/s": (frames.length * 1000 / took_ms).toFixed(1),
    "frame p50 ms": quantile(frames, 0.5).toFixed(1),
    "frame p95 ms": quantile(frames, 0.95).toFixed(1),
    "frame max ms": Math.max(...frames).toFixed(1),
    "tasks > 50 ms": tasks.length,
  });
}
console.table(rows);
await browser.close();
await server.stop();
