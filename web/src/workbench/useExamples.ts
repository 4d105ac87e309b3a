import { useQuery } from "@tanstack/react-query";

import { suggestionsQuery } from "@/api/queries";

/** Some questions that the schema can answer: of what is picked, else of the whole connection. The server has planned each of them. */
export function useExamples(connection: string, picked: readonly string[]): string[] {
  const found = useQuery({ ...suggestionsQuery(connection, picked, 5), enabled: connection !== "", retry: false });
  return (found.data ?? []).map((s) => s.question);
}
