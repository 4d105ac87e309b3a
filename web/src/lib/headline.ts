/**
 * What is said first of a fault: Spark's own messages without their class and state, which are named below, and without the piece of
 * SQL behind them, which the evidence and the marked line of the code have.
 */
export function headline(message: string): string {
  let text = message.split(/\s*(?:== SQL\b|== DataFrame ==|JVM stacktrace:|Traceback \(most recent)/)[0] ?? "";
  text = text.replace(/\s*SQLSTATE: ?\w{5}\s*$/, "");
  text = text.replace(/^\[[A-Z][A-Z0-9_.]+\]\s*/, "");
  return text.trim() === "" ? message : text.trim();
}
