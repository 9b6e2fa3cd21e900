// Other people's pages in a browser that is logged in: one from another site, one from another port of
// this machine, and one whose name was bound to our address after it was loaded. None of them may read
// a byte, change anything, or open a socket; that they do reach the server is checked as well.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { api, obstacle, startServer } from "./harness.mjs";

const skip = obstacle ?? false;
if (skip) console.log(`skipped: ${skip}`);
const EVIL = "evil.test";
const PATIENCE_MS = 5000;

/** Runs in the foreign page: tries every way to the dashboard and tells what came of each. */
async function attack({ origin, patience_ms }) {
  const settle = (start) => new Promise((resolve) => {
    setTimeout(() => resolve("nothing"), patience_ms);
    start(resolve);
  });
  const read = (path, options) => fetch(origin + path, options).then(
    async (answer) => (answer.type === "opaque" ? "opaque" : `read ${(await answer.text()).length} bytes`),
    () => "refused");
  const element = (name, prepare) => settle((resolve) => {
    const made = document.createElement(name);
    made.onload = () => resolve("loaded");
    made.onerror = () => resolve("refused");
    prepare(made);
    document.body.append(made);
  });
  const json = { method: "POST", headers: { "Content-Type": "application/json", "X-Gilscope": "1" },
    body: '{"name":"pwned"}', credentials: "include" };
  const plain = { method: "POST", mode: "no-cors", body: '{"name":"pwned"}', credentials: "include" };
  return {
    fetch: await read("/api/sessions", { credentials: "include" }),
    page: await read("/", { credentials: "include" }),
    blind: await read("/api/sessions", { mode: "no-cors", credentials: "include" }),
    mark: await read("/api/sessions/1/marks", json),
    plainMark: await read("/api/sessions/1/marks", plain),
    detach: await read("/api/sessions/1/detach", { ...plain, body: "" }),
    remove: await read("/api/sessions/1/marks/1", { method: "DELETE", credentials: "include" }),
    image: await element("img", (img) => { img.src = `${origin}/api/sessions/1/export/cpu.svg`; }),
    script: await element("script", (script) => { script.src = `${origin}/api/sessions`; }),
    socket: await settle((resolve) => {
      const socket = new WebSocket(`${origin.replace("http", "ws")}/ws`);
      socket.onopen = () => resolve("open");
      socket.onmessage = () => resolve("data");
      socket.onerror = () => resolve("refused");
    }),
    events: await settle((resolve) => {
      const source = new EventSource(`${origin}/api/sessions`, { withCredentials: true });
      source.onopen = () => resolve("open");
      source.onerror = () => { source.close(); resolve("refused"); };
    }),
    form: await settle((resolve) => {
      const frame = document.createElement("iframe");
      frame.name = "target";
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: `${origin}/api/sessions/1/marks`, target: "target" });
      form.enctype = "text/plain";
      document.body.append(frame, form);
      // The empty document that a new frame has is loaded first, and is not meant.
      setTimeout(() => {
        frame.onload = () => {
          try { resolve(`read ${frame.contentDocument.body.innerText}`); } catch { resolve("opaque"); }
        };
        form.submit();
      }, 200);
    }),
  };
}

describe("foreign pages", { skip, concurrency: false }, () => {
  let server, browser, context, foreign, port;

  before(async () => {
    server = await startServer();
    foreign = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<!doctype html><body>"));
    await new Promise((resolve) => foreign.listen(0, "127.0.0.1", resolve));
    port = foreign.address().port;
    const args = ["--no-sandbox", `--host-resolver-rules=MAP ${EVIL} 127.0.0.1`];
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
    context = await browser.newContext();
    const own = await context.newPage();
    await own.goto(server.url);
    await own.waitForSelector(".brand");
  });
  after(async () => {
    await browser?.close();
    foreign?.close();
    await server?.stop();
  });

  const harmless = async (address) => {
    const state = async () => {
      const { marks, ended } = await api(server, "/api/sessions/1");
      return { marks, ended };
    };
    const before = await state();
    const page = await context.newPage();
    const statuses = [];
    page.on("response", (response) => {
      if (response.url().startsWith(server.origin)) statuses.push(response.status());
    });
    await page.goto(address);
    const outcome = await page.evaluate(attack, { origin: server.origin, patience_ms: PATIENCE_MS });
    for (const [way, result] of Object.entries(outcome)) {
      assert.ok(["refused", "opaque", "nothing"].includes(result), `${way}: ${result}`);
    }
    assert.ok(statuses.length > 0, "the server was reached");
    assert.deepEqual(statuses.filter((status) => status < 400), [], "nothing was granted");
    assert.deepEqual(await state(), before, "no mark was set or removed, no target left");
    await page.close();
  };

  test("a page of another site reads and changes nothing", () => harmless(`http://${EVIL}:${port}/`));

  test("a page of another port of this machine reads and changes nothing", () =>
    harmless(`http://127.0.0.1:${port}/`));

  test("a name that is bound to our address afterwards is not served", async () => {
    const page = await context.newPage();
    const rebound = `http://${EVIL}:${new URL(server.origin).port}`;
    for (const path of ["/", "/api/sessions", "/login?code=0", "/no/such/page"]) {
      const answer = await page.goto(rebound + path);
      assert.equal(answer.status(), 421, path);
      assert.doesNotMatch(await answer.text(), /script|session|thread/i);
    }
    const outcome = await page.evaluate(async () => {
      const asked = await fetch("/api/sessions", { headers: { "X-Gilscope": "1" } });
      const socket = await new Promise((resolve) => {
        const opened = new WebSocket(`ws://${location.host}/ws`);
        opened.onopen = () => resolve("open");
        opened.onerror = () => resolve("refused");
      });
      return [asked.status, socket];
    });
    assert.deepEqual(outcome, [421, "refused"]);
    await page.close();
  });
});
