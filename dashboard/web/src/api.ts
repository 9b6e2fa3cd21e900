// Requests that change something, or that fetch what the socket does not carry.

import type { Mark, Process } from "./types";

/** Says what went wrong in words that the server found for it. */
async function call(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(path, {
    method,
    headers: { "X-Gilscope": "1", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => {
    throw new Error("gilscope does not answer; is it still running?");
  });
  const text = await answer.text();
  const data = answer.headers.get("Content-Type")?.startsWith("application/json") ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(data?.error ?? (text.trim() || `the request failed with status ${answer.status}`));
  return data;
}

export const addMark = (session: number, name: string, at_ns?: number): Promise<Mark> =>
  call("POST", `/api/sessions/${session}/marks`, { name, at_ns });
export const removeMark = (session: number, mark: number): Promise<void> =>
  call("DELETE", `/api/sessions/${session}/marks/${mark}`);
export const detach = (session: number): Promise<void> => call("POST", `/api/sessions/${session}/detach`);
export const processes = (): Promise<Process[]> => call("GET", "/api/processes");
export const attach = (pid: number): Promise<{ session: number }> => call("POST", "/api/attach", { pid });

/** Where a plot of the range in view, or the report, is fetched as a file. */
export function exportUrl(session: number, file: string, range: { start_ns: number; end_ns: number } | undefined): string {
  const query = range ? `?from_ns=${range.start_ns}&to_ns=${range.end_ns}` : "";
  return `/api/sessions/${session}/export/${file}${query}`;
}
