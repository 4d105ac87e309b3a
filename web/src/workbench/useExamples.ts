import { useQuery } from "@tanstack/react-query";

import { tablesQuery } from "@/api/queries";
import { tableName } from "@/lib/format";

/** Some questions that the schema can answer: of what is picked, else of the largest tables. */
export function useExamples(connection: string, picked: readonly string[]): string[] {
  const tables = useQuery({ ...tablesQuery(connection, ""), enabled: connection !== "" });
  const largest = [...(tables.data ?? [])].filter((t) => t.readable).sort((a, b) => b.row_estimate - a.row_estimate);
  const names = picked.length > 0 ? picked.map(tableName) : largest.map((t) => t.name);
  return names.slice(0, 3).map((name) => `How many ${name.replaceAll("_", " ")} are there?`);
}
