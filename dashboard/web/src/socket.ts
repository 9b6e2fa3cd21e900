// The live connection: says what is looked at, takes in what changed, comes back by itself.
//
// The binary message is described in dashboard/src/view/frame.rs.

import type { Frame, Parts, Session } from "./types";

export type Connection =
  | { state: "connecting" }
  | { state: "open" }
  | { state: "lost"; retry_at_ms: number }
  | { state: "denied" };

export interface Subscription {
  session: number;
  page: "overview" | "cpu" | "gil";
  from_ns?: number;
  to_ns?: number;
  last_ns?: number;
  px: number;
}

export interface Receiver {
  connection(connection: Connection): void;
  sessions(sessions: Session[]): void;
  part(name: keyof Parts, data: any): void;
  error(text: string): void;
}

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8000;

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

  /** Tries again, ever slower, unless the server answers and does not know this browser any more. */
  private async lost(): Promise<void> {
    const retry_ms = this.retry_ms;
    this.retry_ms = Math.min(RETRY_MAX_MS, retry_ms * 2);
    this.receiver.connection({ state: "lost", retry_at_ms: performance.now() + retry_ms });
    const status = await fetch("/api/sessions", { method: "HEAD" }).then((answer) => answer.status, () => 0);
    if (status === 401) this.receiver.connection({ state: "denied" });
    else setTimeout(() => this.connect(), retry_ms);
  }
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
