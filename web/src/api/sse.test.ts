import { describe, expect, it } from "vitest";

import { backoff, EventParser, follow, type Message, type StreamState } from "./sse";

describe("EventParser", () => {
  it("reads messages that come in pieces, at any place", () => {
    const text = 'id: 1\nevent: step\ndata: {"a":1}\n\n: beat\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\n';
    const whole = new EventParser().feed(text);
    expect(whole).toEqual([
      { id: "1", event: "step", data: '{"a":1}' },
      { id: "2", event: "message", data: "x\ny" },
    ]);
    for (let cut = 0; cut <= text.length; cut++) {
      const p = new EventParser();
      expect([...p.feed(text.slice(0, cut)), ...p.feed(text.slice(cut))]).toEqual(whole);
    }
    const letters = new EventParser();
    expect([...text].flatMap((c) => letters.feed(c))).toEqual(whole);
  });

  it("drops what is unfinished, and messages without data", () => {
    expect(new EventParser().feed("id: 7\n\nid: 8\ndata: x\n")).toEqual([]);
  });

  it("takes one space off a value, and fields without a colon", () => {
    expect(new EventParser().feed("data:  two\ndata\ndata:none\n\n")[0]?.data).toBe(" two\n\nnone");
  });
});

/** A server that gives one answer to each request. */
function played(answers: (Response | Error)[]) {
  const asked: (string | null)[] = [];
  const request: typeof fetch = async (_url, init) => {
    asked.push(new Headers(init?.headers).get("Last-Event-ID"));
    const next = answers.shift();
    if (!next) throw new Error("asked too often");
    if (next instanceof Error) throw next;
    return next;
  };
  return { asked, request };
}

const events = (...ids: number[]) =>
  new Response(ids.map((id) => `id: ${id}\nevent: step\ndata: ${id}\n\n`).join(""), { headers: { "Content-Type": "text/event-stream" } });

async function run(answers: (Response | Error)[]) {
  const { asked, request } = played(answers);
  const messages: Message[] = [];
  const states: StreamState[] = [];
  const waits: number[] = [];
  await follow({
    url: "/e", fetch: request, signal: new AbortController().signal,
    onMessage: (m) => messages.push(m), onState: (s) => states.push(s),
    wait: async (ms) => void waits.push(ms),
  });
  return { asked, ids: messages.map((m) => m.id), states, waits, left: answers.length };
}

describe("follow", () => {
  it("goes on after the last event it has seen, and ends on 204", async () => {
    const r = await run([events(1, 2), events(3), new Response(null, { status: 204 })]);
    expect(r.ids).toEqual(["1", "2", "3"]);
    expect(r.asked).toEqual([null, "2", "3"]);
    expect(r.states.at(-1)).toBe("ended");
    expect(r.waits).toEqual([]);
  });

  it("says that it is offline, waits longer each time, and comes back", async () => {
    const r = await run([events(1), new TypeError("x"), new TypeError("x"), new Response("", { status: 503 }), events(2), new Response(null, { status: 204 })]);
    expect(r.ids).toEqual(["1", "2"]);
    expect(r.asked).toEqual([null, "1", "1", "1", "1", "2"]);
    expect(r.waits).toEqual([500, 1000, 2000]);
    expect(r.states).toEqual(["connecting", "open", "offline", "offline", "offline", "open", "ended"]);
  });

  it("does not ask in a tight circle a server that only ever closes", async () => {
    const r = await run([events(), events(), events(), new Response(null, { status: 204 })]);
    expect(r.waits.length).toBe(2);
  });

  it("gives up when it is refused", async () => {
    const r = await run([new Response('{"title":"there is no run of that id","code":"not_found"}', { status: 404 }), events(1)]);
    expect(r.states).toEqual(["connecting", "refused"]);
    expect(r.left).toBe(1);
  });
});

describe("backoff", () => {
  it("doubles up to ten seconds", () => {
    expect([1, 2, 3, 5, 6, 50].map(backoff)).toEqual([500, 1000, 2000, 8000, 10_000, 10_000]);
  });
});
