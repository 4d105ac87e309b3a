import { useSyncExternalStore } from "react";

/** A value outside the components, kept for the tab, that components can read. */
export interface Store<T> {
  get: () => T;
  set: (change: Partial<T> | ((old: T) => Partial<T>)) => void;
  subscribe: (listener: () => void) => () => void;
}

/** Makes a store. Its value outlives a reload when key is given; read says what of the kept value is taken. */
export function createStore<T extends object>(initial: T, key?: string, read?: (kept: unknown) => Partial<T>): Store<T> {
  let value = initial;
  if (key && read) {
    try {
      const kept = globalThis.sessionStorage?.getItem(key);
      if (kept) value = { ...initial, ...read(JSON.parse(kept)) };
    } catch {
      // What cannot be read is as if it were not there.
    }
  }
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (change) => {
      value = { ...value, ...(typeof change === "function" ? change(value) : change) };
      if (key) {
        try {
          globalThis.sessionStorage?.setItem(key, JSON.stringify(value));
        } catch {
          // A full or forbidden storage costs only what a reload would bring back.
        }
      }
      listeners.forEach((l) => l());
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
