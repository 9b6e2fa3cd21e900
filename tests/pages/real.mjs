// The program itself with a real target: for pages tests that generated sessions cannot stand in for.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? `${ROOT}target`;

/** The program's path: PAGES_GILSCOPE, else it is built as the e2e tests build it. */
export function gilscope() {
  if (process.env.PAGES_GILSCOPE) return process.env.PAGES_GILSCOPE;
  const build = ["build", "--quiet", "--locked", "--release"];
  const built = spawnSync("cargo", build, { cwd: ROOT, stdio: ["ignore", "inherit", "pipe"], encoding: "utf8" });
  if (built.status !== 0) throw new Error(`cargo ${build.join(" ")} failed:\n${built.stderr}`);
  return `${TARGET}/release/gilscope`;
}

/** The lines of a stream as they come; `next(shape)` is the first from now on that fits. */
function lines(stream, what) {
  const seen = [];
  const waiting = new Set();
  const look = () => waiting.forEach((waiter) => waiter());
  createInterface(stream).on("line", (line) => { seen.push(line); look(); }).on("close", () => { seen.push(null); look(); });
  let at = 0;
  return (shape, timeout_ms = 60_000) => new Promise((resolve, reject) => {
    const end = (give, value) => { clearTimeout(timer); waiting.delete(waiter); give(value); };
    const timer = setTimeout(() => end(reject, new Error(`${what} did not say ${shape}: ${seen.join("\n")}`)), timeout_ms);
    const waiter = () => {
      for (; at < seen.length; at += 1) {
        if (seen[at] === null) return end(reject, new Error(`${what} ended: ${seen.join("\n")}`));
        const found = shape.exec(seen[at]);
        if (found) { at += 1; return end(resolve, found); }
      }
    };
    waiting.add(waiter);
    waiter();
  });
}

/** Starts a program of tests/programs; resolves when it says that it is ready. */
export async function startProgram(name, ...args) {
  const child = spawn("python3", [`${ROOT}tests/programs/${name}`, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  await lines(child.stdout, name)(/"ready": true/);
  const gone = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
  return { pid: child.pid, say: (line) => child.stdin.write(`${line}\n`), kill: (signal) => child.kill(signal), gone };
}

/** Starts gilscope; resolves when it has told its address. */
export async function startGilscope(...args) {
  const child = spawn(gilscope(), args, { stdio: ["ignore", "ignore", "pipe"] });
  const url = (await lines(child.stderr, "gilscope")(/dashboard: (\S+)/))[1];
  const gone = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
  const stop = () => { child.kill("SIGINT"); return gone; };
  return { url, origin: new URL(url).origin, stop };
}

/** Runs gilscope to its end. */
export function run(...args) {
  const ended = spawnSync(gilscope(), args, { encoding: "utf8", timeout: 120_000 });
  if (ended.status !== 0) throw new Error(`gilscope ${args.join(" ")}: ${ended.status} ${ended.stderr}`);
  return ended.stdout;
}
