// Requests that change something, or that fetch what the socket does not carry.

import type { Comparison, Experiment, Folder, Frame, Mark, Pin, Process, Range } from "./types";

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
export const renameMark = (session: number, mark: number, name: string): Promise<Mark> =>
  call("POST", `/api/sessions/${session}/marks/${mark}`, { name });
export const removeMark = (session: number, mark: number): Promise<void> =>
  call("DELETE", `/api/sessions/${session}/marks/${mark}`);
export const detach = (session: number): Promise<void> => call("POST", `/api/sessions/${session}/detach`);
export const experiments = (session: number): Promise<Experiment[]> => call("GET", `/api/sessions/${session}/experiments`);
export const tryRemedy = (session: number, remedy: string): Promise<unknown> =>
  call("POST", `/api/sessions/${session}/tries`, { remedy });
export const undoRemedy = (session: number, remedy: string): Promise<void> =>
  call("DELETE", `/api/sessions/${session}/tries/${remedy}`);
export const processes = (): Promise<Process[]> => call("GET", "/api/processes");
export const attach = (pid: number): Promise<{ session: number }> => call("POST", "/api/attach", { pid });

/** Two spans side by side: `after` of `session`, and the pinned one. */
export const comparison = (session: number, after: Range, pin: Pin): Promise<Comparison> =>
  call("GET", `/api/sessions/${session}/compare?${new URLSearchParams(Object.entries({
    from_ns: after.start_ns, to_ns: after.end_ns, before: pin.session, before_from_ns: pin.start_ns, before_to_ns: pin.end_ns,
  }).map(([name, value]) => [name, String(value)]))}`);

/** CPU of a fixed span as a frame. */
export async function cpuFrame(session: number, { start_ns, end_ns }: Range): Promise<Frame> {
  const series = await call("GET", `/api/sessions/${session}/cpu?from_ns=${start_ns}&to_ns=${end_ns}&px=300&bands=8`);
  const values: Record<string, Float32Array> = { total: Float32Array.from(series.total_mean) };
  series.bands.forEach((band: { mean: number[] }, index: number) => (values[index] = Float32Array.from(band.mean)));
  return { part: "cpu", session, columns: Object.keys(values), values, ...series };
}

export const recordings = (): Promise<Folder> => call("GET", "/api/recordings");
export const openRecording = (name: string): Promise<{ session: number }> =>
  call("POST", `/api/recordings/${encodeURIComponent(name)}/open`);
export const recordingUrl = (name: string): string => `/api/recordings/${encodeURIComponent(name)}`;
export const beginRecording = (session: number): Promise<{ name: string }> => call("POST", `/api/sessions/${session}/recording`);
export const endRecording = (session: number): Promise<{ name: string | null }> => call("DELETE", `/api/sessions/${session}/recording`);

/** Where a plot of the range in view, or the report, is fetched as a file. */
export function exportUrl(session: number, file: string, range: Range | undefined): string {
  const query = range ? `?from_ns=${Math.round(range.start_ns)}&to_ns=${Math.round(range.end_ns)}` : "";
  return `/api/sessions/${session}/export/${file}${query}`;
}
