/** The tabs of an answer. The chosen one is in the URL, so that a reload and a link show the same. */
export const runTabs = ["table", "chart", "code", "sql", "log", "receipt"] as const;
export type RunTab = (typeof runTabs)[number];
