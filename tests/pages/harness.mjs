// Starts the generated dashboard (dashboard/examples/pages.rs) and Debian's Chromium, and keeps count
// of whatever a page must never do: errors on the console, exceptions, breaches of its policy.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** Longest wait for Chromium to close. */
const CLOSE_MS = 20_000;
/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Where builds go. */
export const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}target`;
const CHROMIUM = "/usr/bin/chromium";
/** Where pictures for looking at go. */
export const SHOTS = `${TARGET}/pages-shots`;

/** Why the tests cannot run here, or null. */
export const obstacle = existsSync(CHROMIUM) ? null : `${CHROMIUM} is missing; apt install chromium`;

/** Builds a program and gives its path. */
export function built(program, ...options) {
  const build = ["build", "--quiet", "--locked", ...options];
  const ended = spawnSync("cargo", build, { cwd: ROOT, stdio: ["ignore", "inherit", "pipe"], encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`cargo ${build.join(" ")} failed:\n${ended.stderr}`);
  return `${TARGET}/${program}`;
}

/** The server's path: PAGES_SERVER, else it is built. */
function generated() {
  return process.env.PAGES_SERVER
    ?? built("debug/examples/pages", "-p", "dashboard", "--example", "pages", "--features", "generator");
}

/** Starts the server; resolves to `{url, token, origin, stop}`. */
export async function startServer() {
  const child = spawn(generated(), { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const [line] = await Promise.race([
    new Promise((resolve) => createInterface(child.stdout).once("line", (line) => resolve([line]))),
    ended.then((code) => { throw new Error(`the server ended with ${code}`); }),
  ]);
  const { url, token } = JSON.parse(line);
  const stop = () => { child.stdin.end(); return ended; };
  return { url, token, origin: new URL(url).origin, stop };
}

/** What the API says, as a program sees it. */
export async function api(server, path, options = {}) {
  const headers = { Authorization: `Bearer ${server.token}`, "X-Gilscope": "1", "Content-Type": "application/json" };
  const answer = await fetch(server.origin + path, { headers, ...options });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A browser that is logged in; `faults` lists what pages did wrong. */
export async function startBrowser(server) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  // Chromium was once seen not to close on a crowded machine; what was tested stands all the same.
  const close = browser.close.bind(browser);
  browser.close = () => Promise.race([close(), new Promise((done) => setTimeout(done, CLOSE_MS).unref())]);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  const faults = [];
  await page.exposeFunction("reportBreach", (breach) => faults.push(`policy: ${breach}`));
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) =>
    window.reportBreach(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  await page.goto(server.url);
  await page.waitForSelector(".brand");
  mkdirSync(SHOTS, { recursive: true });
  return { browser, page, faults };
}

/** A server and a browser for the tests of one file. `open` goes to a page and waits for what shows
 *  that it is there; `close` ends both. */
export async function startPages(start = startServer) {
  const server = await start();
  const { browser, page, faults } = await startBrowser(server).catch(async (error) => {
    await server.stop();
    throw error;
  });
  const open = async (hash, ready) => {
    await page.goto(`${server.origin}/${hash}`);
    if (ready) await page.locator(ready).first().waitFor();
  };
  const close = async () => {
    await browser.close();
    await server.stop();
  };
  return { server, page, faults, open, close };
}

/** How many different colours a canvas shows; a blank one has at most a few. */
export function canvasColors(page, selector) {
  return page.$$eval(selector, (canvases) => canvases.map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 0) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    }
    return seen.size;
  }));
}

/** A number for what a canvas shows. */
export function canvasHash(page, selector) {
  return page.$eval(selector, (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (let at = 0; at < data.length; at += 1) hash = (Math.imul(hash, 31) + data[at]) | 0;
    return hash;
  });
}

/** Blocks of a picture across and down, for comparing coarsely. */
const BLOCKS = [16, 10];

/** Mean brightness, 0 to 255, of each block of a picture: fonts and a pixel here or there do not matter. */
export async function brightness(page, png) {
  return page.evaluate(async ([source, [across, down]]) => {
    const bytes = Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const ctx = canvas.getContext("2d");
    ctx.drawImage(picture, 0, 0);
    const { data, width, height } = ctx.getImageData(0, 0, picture.width, picture.height);
    const sums = Array.from({ length: across * down }, () => [0, 0]);
    for (let at = 0; at < data.length; at += 4) {
      const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
      const sum = sums[Math.floor((y * down) / height) * across + Math.floor((x * across) / width)];
      sum[0] += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      sum[1] += 1;
    }
    return sums.map(([sum, count]) => Math.round(sum / count));
  }, [png.toString("base64"), BLOCKS]);
}

/** Waits until `probe` gives what `accept` takes; the last value is in the error. */
export async function until(what, probe, accept, timeout_ms = 20_000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const value = await probe();
    if (accept(value)) return value;
    if (Date.now() > end) throw new Error(`${what}: still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
