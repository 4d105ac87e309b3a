import type { RunState } from "@/api/types";

export const states: readonly RunState[] = [
  "succeeded", "failed", "declined", "cancelled", "awaiting_approval", "running", "checking", "generating", "queued",
];

/** What the address of the history says, as far as it makes sense. */
export function historySearch(search: Record<string, unknown>): { q?: string; state?: RunState; pinned?: true } {
  const state = states.find((s) => s === search.state);
  const q = typeof search.q === "string" || typeof search.q === "number" ? String(search.q).slice(0, 200) : "";
  return { ...(q ? { q } : {}), ...(state ? { state } : {}), ...(search.pinned === true ? { pinned: true as const } : {}) };
}
