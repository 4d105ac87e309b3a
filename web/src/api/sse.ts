import { problemOf, type Problem } from "./problem";

/** One message of a stream of server-sent events. */
export interface Message {
  id: string;
  event: string;
  data: string;
}

/**
 * Reads server-sent events from pieces of text, as the HTML standard says:
 * lines end in LF, CR or CRLF, also across pieces; an empty line ends a message;
 * a message without data is none; what is unfinished at the end is dropped.
 */
export class EventParser {
  private rest = "";
  private afterCR = false;
  private id = "";
  private event = "";
  private data: string[] = [];

  feed(piece: string): Message[] {
    const out: Message[] = [];
    if (piece === "") return out;
    let text = this.rest + piece;
    if (this.afterCR && text.startsWith("\n")) text = text.slice(1);
    this.afterCR = false;
    let begin = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c !== "\n" && c !== "\r") continue;
      this.line(text.slice(begin, i), out);
      if (c === "\r") {
        if (i + 1 === text.length) this.afterCR = true;
        else if (text[i + 1] === "\n") i++;
      }
      begin = i + 1;
    }
    this.rest = text.slice(begin);
    return out;
  }

  private line(line: string, out: Message[]): void {
    if (line === "") {
      if (this.data.length > 0) out.push({ id: this.id, event: this.event || "message", data: this.data.join("\n") });
      this.event = "";
      this.data = [];
      return;
    }
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
  }
}

/** How a stream is: before the first answer, open, between two tries, at its end, or refused for good. */
export type StreamState = "connecting" | "open" | "offline" | "ended" | "refused";

export interface FollowOptions {
  url: string;
  /** Number of the last event that was seen */
  lastId?: string;
  onMessage: (m: Message) => void;
  onState?: (state: StreamState, problem?: Problem) => void;
  signal: AbortSignal;
  fetch?: typeof fetch;
  /** Waits before another try, at most so long; ends early when the network comes back */
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds before try number n (from 1): it doubles up to 10 s. */
export function backoff(n: number): number {
  return Math.min(10_000, 500 * 2 ** (n - 1));
}

/**
 * Follows a stream to its end, whatever happens to the connection: after a cut
 * it asks for what comes after the last event that it has seen. It returns when the server says that
 * there is nothing more (204), refuses for good, or signal is aborted.
 */
export async function follow(o: FollowOptions): Promise<void> {
  const request = o.fetch ?? fetch;
  const wait = o.wait ?? pause;
  let lastId = o.lastId ?? "";
  let tries = 0;
  o.onState?.("connecting");
  while (!o.signal.aborted) {
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId !== "") headers["Last-Event-ID"] = lastId;
      const response = await request(o.url, { headers, signal: o.signal, cache: "no-store" });
      if (response.status === 204) {
        o.onState?.("ended");
        return;
      }
      if (!response.ok) {
        const problem = problemOf(response.status, await response.text(), response.headers);
        // 429 and 503 pass; so may what a proxy says while the server starts.
        if (response.status < 500 && response.status !== 429) {
          o.onState?.("refused", problem);
          return;
        }
        throw problem;
      }
      o.onState?.("open");
      const parser = new EventParser();
      const decoder = new TextDecoder();
      const reader = response.body?.getReader();
      for (let done = !reader; reader && !done; ) {
        const piece = await reader.read();
        done = piece.done;
        if (!piece.value) continue;
        for (const m of parser.feed(decoder.decode(piece.value, { stream: true }))) {
          if (m.id !== "") lastId = m.id;
          tries = 0;
          o.onMessage(m);
        }
      }
      // The server has ended the stream: it says 204 next time, or goes on.
      if (tries === 0) {
        tries = 1;
        continue;
      }
    } catch {
      if (o.signal.aborted) return;
    }
    tries++;
    o.onState?.("offline");
    await wait(backoff(tries - 1 || 1), o.signal);
  }
}

/** Waits, at most until signal is aborted or the browser is online again. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      globalThis.removeEventListener?.("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    globalThis.addEventListener?.("online", done);
  });
}
