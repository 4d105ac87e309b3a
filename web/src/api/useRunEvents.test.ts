import { describe, expect, it } from "vitest";

import type { RunEvent } from "./types";
import { emptyStory, tell, tellAll } from "./useRunEvents";

let seq = 0;
const event = (e: Partial<RunEvent>): RunEvent => ({ seq: ++seq, run_id: "r", at: new Date(1_000 * seq).toISOString(), type: "step", ...e });
const told = (...events: Partial<RunEvent>[]) => events.map(event).reduce(tell, emptyStory);

describe("tell", () => {
  it("gives each step its own time and state", () => {
    const { steps } = told({ step: "catalog", text: "started" }, { step: "catalog", text: "done" }, { step: "spark", text: "started" }, { step: "spark", text: "failed" });
    expect(steps.map((s) => [s.name, s.state, (s.endedAt ?? 0) - s.startedAt])).toEqual([["catalog", "done", 1000], ["spark", "failed", 1000]]);
  });
  it("puts remarks beside the step that runs, or on a line of their own", () => {
    const { steps } = told({ step: "generate", text: "started" }, { step: "understood", text: "count of orders" }, { step: "generate", text: "done" }, { step: "approval", text: "approved" });
    expect(steps.map((s) => [s.name, s.state, s.notes])).toEqual([["generate", "done", ["count of orders"]], ["approval", "done", ["approved"]]]);
  });
  it("keeps both times of a step that is done twice", () => {
    const { steps } = told({ step: "check", text: "started" }, { step: "check", text: "failed" }, { step: "check", text: "started" });
    expect(steps.map((s) => s.state)).toEqual(["failed", "running"]);
  });
  it("lets no step run on after the end", () => {
    const story = told({ step: "spark", text: "started" }, { type: "state", state: "cancelled" });
    expect([story.state, story.steps[0]?.state]).toEqual(["cancelled", "failed"]);
  });
  it("begins a new text with each writing of the code", () => {
    const story = told({ step: "generate", text: "started" }, { type: "model", text: "resu" }, { type: "model", text: "lt = 1" });
    expect(story.writing).toBe("result = 1");
    expect(tell(story, event({ step: "generate", text: "started" })).writing).toBe("");
  });
  it("keeps the log in order, and passes over what it does not know", () => {
    const story = told({ type: "log", stream: "stderr", text: "a" }, { type: "later" }, { type: "state", state: "unheard" }, { type: "log", text: "b" });
    expect(story.log.map((l) => [l.stream, l.text])).toEqual([["stderr", "a"], ["stdout", "b"]]);
    expect(story.state).toBeNull();
  });
});

describe("tellAll", () => {
  it("tells the same as one after the other", () => {
    const events = [{ step: "spark", text: "started" }, { type: "log", text: "a" }, { type: "progress" }, { type: "log", text: "b" }, { type: "state", state: "failed" }].map(event);
    expect(tellAll(emptyStory, events)).toEqual(events.reduce(tell, emptyStory));
    expect(tellAll(emptyStory, events).log).toHaveLength(2);
  });
});
