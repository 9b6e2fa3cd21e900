// The live connection: says what is looked at, takes in what changed, comes back by itself.
//
// The binary message is described in dashboard/src/view/frame.rs.

import type { Frame, Parts, Range, Session } from "./types";

export type Connection =
  | { state: "connecting" }
  | { state: "open" }
  | { state: "lost"; retry_at_ms: number }
  | { state: "denied" };

export interface Subscription {
  session: number;
  page: "overview" | "cpu" | "gil" | "states" | "frames" | "imports";
  from_ns?: number;
  to_ns?: number;
  last_ns?: number;
  px: number;
  /** The span that tables are about, if it is not the one of the charts. */
  select?: Range;
  /** Whether bands of CPU come in their parts. */
  split?: boolean;
}

export interface Receiver {
  connection(connection: Connection): void;
  sessions(sessions: Session[]): void;
  part(name: keyof Parts, data: any): void;
  error(text: string): void;
}

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8000;
/** How often a server that does not know this browser is asked whether it does by now. */
const DENIED_MS = 3000;

export class Socket {
  private socket: WebSocket | null = null;
  private wanted: Subscription | null = null;
  private retry_ms = RETRY_FIRST_MS;

  constructor(private readonly receiver: Receiver) {}

  connect(): void {
    this.receiver.connection({ state: "connecting" });
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.retry_ms = RETRY_FIRST_MS;
      this.receiver.connection({ state: "open" });
      this.send();
    };
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => this.lost();
    this.socket = socket;
  }

  /** Says what to send from now on. */
  subscribe(wanted: Subscription): void {
    if (JSON.stringify(wanted) === JSON.stringify(this.wanted)) return;
    this.wanted = wanted;
    this.send();
  }

  private send(): void {
    if (this.wanted && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(this.wanted));
  }

  private take(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      const frame = decode(data);
      if (frame.session === this.wanted?.session) this.receiver.part(frame.part, frame);
      return;
    }
    const message = JSON.parse(data);
    if (message.part === "sessions") this.receiver.sessions(message.data);
    else if (message.part === "error") this.receiver.error(message.data);
    else if (message.session === this.wanted?.session) this.receiver.part(message.part, message.data);
  }

  /** Tries again, ever slower. A server that was started anew does not know this browser until somebody
   *  opens its new address, in whatever window; then this one comes back, too. */
  private async lost(): Promise<void> {
    const retry_ms = this.retry_ms;
    this.retry_ms = Math.min(RETRY_MAX_MS, retry_ms * 2);
    this.receiver.connection({ state: "lost", retry_at_ms: performance.now() + retry_ms });
    if ((await status()) !== 401) return void setTimeout(() => this.connect(), retry_ms);
    this.receiver.connection({ state: "denied" });
    while ((await status()) === 401) await new Promise((wake) => setTimeout(wake, DENIED_MS));
    this.connect();
  }
}

/** What the server answers with; 0 when it does not. */
function status(): Promise<number> {
  return fetch("/api/sessions", { method: "HEAD" }).then((answer) => answer.status, () => 0);
}

function decode(buffer: ArrayBuffer): Frame {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const values: Record<string, Float32Array> = {};
  header.columns.forEach((name: string, index: number) => {
    values[name] = new Float32Array(buffer, 4 + length + 4 * index * header.count, header.count);
  });
  return { ...header, values };
}
