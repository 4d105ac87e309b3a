/** The @word that is being typed. */
export interface Mention {
  /** Where the @ is */
  start: number;
  /** What follows it, up to the caret */
  query: string;
}

/** The mention that ends at the caret, if there is one. An @ inside a word (a mail address) begins none. */
export function mentionAt(text: string, caret: number): Mention | null {
  const before = text.slice(0, caret);
  const m = /(?:^|[\s([{,;:"'])@([\p{L}\p{N}_.$-]*)$/u.exec(before);
  if (!m) return null;
  const query = m[1] ?? "";
  return { start: caret - query.length - 1, query };
}

/** The text with the mention replaced by a table's name, and where the caret comes. */
export function complete(text: string, mention: Mention, name: string): { text: string; caret: number } {
  const end = mention.start + 1 + mention.query.length;
  const after = text.slice(end);
  const space = /^\s/.test(after) ? "" : " ";
  return { text: text.slice(0, mention.start) + name + space + after, caret: mention.start + name.length + 1 };
}
