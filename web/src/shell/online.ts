import { createStore, useStore } from "@/lib/store";

/** Whether the server answers. Queries and streams report what they see. */
const state = createStore({ reached: true });

/** Notes it, and tells whether it is news. */
export function reportReached(reached: boolean): boolean {
  if (state.get().reached === reached) return false;
  state.set({ reached });
  return true;
}

export const useReached = (): boolean => useStore(state).reached;
