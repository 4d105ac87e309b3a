import { createStore, useStore } from "@/lib/store";

/** Whether the server answers. Queries and streams report what they see. */
const state = createStore({ reached: true });

export function reportReached(reached: boolean): void {
  if (state.get().reached !== reached) state.set({ reached });
}

export const useReached = (): boolean => useStore(state).reached;
