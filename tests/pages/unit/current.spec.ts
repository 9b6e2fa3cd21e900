// Which session is looked at, before and after the server was started anew.
import { expect, test } from "vitest";
import { again, chosen, isSame } from "../../../dashboard/web/src/current";
import type { Session } from "../../../dashboard/web/src/types";

const session = (id: number, pid: number, more: object = {}) => ({
  id, ended: null, target: { pid, started_unix_ns: pid * 10, anchor_unix_ns: 5, host: "here" }, ...more,
}) as unknown as Session;
const ended = { ended: { at_ns: 1, reason: "exited with status 0" } };

test("the asked for, else the newest that runs, else the newest", () => {
  const all = [session(1, 11), session(2, 22), session(3, 33, ended)];
  expect(chosen(all, 1)?.id).toBe(1);
  expect(chosen(all, null)?.id).toBe(2);
  expect(chosen(all, 9)?.id).toBe(2);
  expect(chosen([session(4, 44, ended)], null)?.id).toBe(4);
  expect(chosen([], 1)).toBeNull();
});

test("a process is found again under another number; a reused pid is another process", () => {
  const before = session(2, 22);
  const target = (anchor: number, started: number) =>
    ({ target: { pid: 22, started_unix_ns: started, anchor_unix_ns: anchor, host: "here" } });
  expect(again(before, [session(1, 22, target(9, 220))])?.id).toBe(1);
  expect(again(before, [session(2, 22, target(5, 999))])).toBeNull();
  expect(isSame(before, session(2, 22))).toBe(true);
  expect(isSame(before, session(2, 22, target(9, 220)))).toBe(false);
});
