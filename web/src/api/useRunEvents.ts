import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useReducer } from "react";

import { runQuery } from "./queries";
import { follow, type StreamState } from "./sse";
import type { LogLine, Progress, RunEvent, RunState } from "./types";

/** One step of a run as its events tell it. */
export interface Step {
  name: string;
  state: "running" | "done" | "failed";
  /** What there is to say of it besides its state */
  notes: string[];
  startedAt: number;
  endedAt: number | null;
}

/** What the events of a run have told so far. */
export interface RunStory {
  steps: Step[];
  state: RunState | null;
  progress: Progress | null;
  log: LogLine[];
  /** What a model has written so far of the code that is being made */
  writing: string;
  stream: StreamState;
}

export const emptyStory: RunStory = { steps: [], state: null, progress: null, log: [], writing: "", stream: "connecting" };

const states: readonly RunState[] = [
  "queued", "generating", "checking", "awaiting_approval", "running", "succeeded", "failed", "declined", "cancelled",
];
const isState = (s: string | undefined): s is RunState => states.some((known) => known === s);

/** The story with one more event. Events that are not known are passed over. */
export function tell(story: RunStory, e: RunEvent): RunStory {
  const at = Date.parse(e.at);
  switch (e.type) {
    case "state":
      return isState(e.state) ? { ...story, state: e.state, steps: settle(story.steps, e.state, at) } : story;
    case "step":
      if (!e.step) return story;
      return {
        ...story,
        steps: step(story.steps, e.step, e.text ?? "", at),
        // A repair begins a new text.
        writing: e.step === "generate" && e.text === "started" ? "" : story.writing,
      };
    case "model":
      return { ...story, writing: story.writing + (e.text ?? "") };
    case "progress":
      return e.progress ? { ...story, progress: e.progress } : story;
    case "log":
      return { ...story, log: [...story.log, lineOf(e)] };
    default:
      return story;
  }
}

const lineOf = (e: RunEvent): LogLine => ({ seq: e.seq, at: e.at, stream: e.stream ?? "stdout", text: e.text ?? "" });

/** The story with several more events. Lines of the log are added at once: there may be very many. */
export function tellAll(story: RunStory, events: readonly RunEvent[]): RunStory {
  const lines = events.filter((e) => e.type === "log").map(lineOf);
  const rest = events.filter((e) => e.type !== "log").reduce(tell, story);
  return lines.length > 0 ? { ...rest, log: rest.log.concat(lines) } : rest;
}

function step(steps: Step[], name: string, text: string, at: number): Step[] {
  const last = steps.findLastIndex((s) => s.name === name && s.state === "running");
  if (text === "done" || text === "failed") {
    return last < 0 ? steps : steps.map((s, i) => (i === last ? { ...s, state: text, endedAt: at } : s));
  }
  if (text === "started") return [...steps, { name, state: "running", notes: [], startedAt: at, endedAt: null }];
  // A remark: to the step of that name, to the one that runs, or one of its own.
  const host = last >= 0 ? last : steps.findLastIndex((s) => s.state === "running");
  if (host >= 0) return steps.map((s, i) => (i === host ? { ...s, notes: [...s.notes, text] } : s));
  return [...steps, { name, state: "done", notes: [text], startedAt: at, endedAt: at }];
}

/** No step runs on in a run that has ended. */
function settle(steps: Step[], state: RunState, at: number): Step[] {
  if (!["succeeded", "failed", "declined", "cancelled"].includes(state)) return steps;
  const ended = state === "failed" || state === "cancelled" ? "failed" : "done";
  return steps.map((s) => (s.state === "running" ? { ...s, state: ended, endedAt: at } : s));
}

type Action = { kind: "reset" } | { kind: "events"; events: RunEvent[] } | { kind: "stream"; stream: StreamState };

function reduce(story: RunStory, action: Action): RunStory {
  switch (action.kind) {
    case "reset":
      return emptyStory;
    case "stream":
      return { ...story, stream: action.stream };
    case "events":
      return tellAll(story, action.events);
  }
}

/**
 * Follows a run from its first event on; a reload tells the same story again.
 * The run itself is read anew whenever a step or its state changes.
 */
export function useRunEvents(id: string): RunStory {
  const [story, dispatch] = useReducer(reduce, emptyStory);
  const queries = useQueryClient();
  useEffect(() => {
    const abort = new AbortController();
    let waiting: RunEvent[] = [];
    let frame = 0;
    let stale = false;
    dispatch({ kind: "reset" });
    // Many events may come at once: they are shown together.
    const flush = () => {
      frame = 0;
      const events = waiting;
      waiting = [];
      if (events.length > 0) dispatch({ kind: "events", events });
      if (stale) {
        stale = false;
        void queries.invalidateQueries({ queryKey: runQuery(id).queryKey, exact: true });
      }
    };
    void follow({
      url: `/api/v1/runs/${encodeURIComponent(id)}/events`,
      signal: abort.signal,
      onMessage: (m) => {
        const e = JSON.parse(m.data) as RunEvent;
        waiting.push(e);
        if (e.type === "state" || e.type === "step") stale = true;
        if (frame === 0) frame = window.setTimeout(flush, 50);
      },
      onState: (stream) => {
        if (stream === "ended") {
          stale = true;
          flush();
          void queries.invalidateQueries({ queryKey: ["runs"] });
        }
        dispatch({ kind: "stream", stream });
      },
    });
    return () => {
      abort.abort();
      window.clearTimeout(frame);
    };
  }, [id, queries]);
  return story;
}
