// A real gilscope with real targets for the page tests: the release binary, Python programs of
// tests/programs that speak as handshake.py does, and a folder that holds their recordings.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { built, ROOT } from "./harness.mjs";

const PYTHON = "/usr/bin/python3";
/** Longest wait for a line that should come at once; the machine is shared. */
const PATIENCE_MS = 60_000;

/** Why real targets cannot run here, or null. */
export const noTargets = existsSync(PYTHON) ? null : `${PYTHON} is missing; apt install python3`;

/** The program's path: PAGES_GILSCOPE, else it is built as the e2e tests build it. */
function gilscope() {
  return process.env.PAGES_GILSCOPE ?? built("release/gilscope", "--release");
}

/** Without what a user may have set: that must not decide a test. */
function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GILSCOPE_")));
}

/** A child whose lines can be waited for; `end` asks, waits, and at last kills by its own id. */
class Child {
  lines = [];
  #waiting = [];

  constructor(command, args, options, stream) {
    this.process = spawn(command, args, options);
    this.ended = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve(code ?? signal)));
    createInterface(this.process[stream]).on("line", (line) => {
      this.lines.push(line);
      this.#waiting = this.#waiting.filter((look) => !look());
    });
  }

  get pid() {
    return this.process.pid;
  }

  /** The first line so far or to come that `wanted` matches. */
  line(wanted) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${wanted}: ${JSON.stringify(this.lines)}`)), PATIENCE_MS);
      const look = () => {
        const found = this.lines.find((line) => wanted.test(line));
        if (found === undefined) return false;
        clearTimeout(timer);
        resolve(found);
        return true;
      };
      void this.ended.then((code) => reject(new Error(`ended with ${code}: ${JSON.stringify(this.lines)}`)));
      if (!look()) this.#waiting.push(look);
    });
  }

  async end(signal) {
    if (this.process.exitCode === null) this.process.kill(signal);
    const kill = setTimeout(() => this.process.kill("SIGKILL"), PATIENCE_MS);
    const code = await this.ended;
    clearTimeout(kill);
    return code;
  }
}

/** A program of tests/programs that is ready; `say` speaks to it, `leave` lets it go. */
export async function startProgram(file, args = []) {
  const command = [`${ROOT}tests/programs/${file}`, ...args];
  const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  const child = new Child(PYTHON, command, { stdio: ["pipe", "pipe", "inherit"], env: environment }, "stdout");
  await child.line(/"ready": true/);
  return {
    pid: child.pid,
    say: (line) => child.process.stdin.write(`${line}\n`),
    leave: async () => {
      child.process.stdin.end();
      return child.ended;
    },
    kill: () => child.end("SIGKILL"),
  };
}

/** `gilscope ARGS` with a dashboard, in a folder of its own; resolves when its address is printed. */
export async function startGilscope(args, port = 0) {
  const folder = mkdtempSync(`${tmpdir()}/gilscope-pages-`);
  const environment = { ...plainEnvironment(), XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder, NO_COLOR: "1" };
  const child = new Child(gilscope(), [...args, "--listen", `127.0.0.1:${port}`], { cwd: folder, stdio: ["ignore", "ignore", "pipe"], env: environment }, "stderr");
  const url = /http:\S+/.exec(await child.line(/dashboard: http/))[0];
  return {
    url, folder, origin: new URL(url).origin, pid: child.pid, lines: child.lines,
    stop: async () => {
      const code = await child.end("SIGINT");
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}
