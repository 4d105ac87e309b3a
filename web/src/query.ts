import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

import { asProblem } from "./api/problem";
import { reportReached } from "./shell/online";

const onError = (error: Error) => {
  if (asProblem(error).offline) reportReached(false);
};

const onSuccess = () => {
  // What failed while the server was away is asked again.
  if (reportReached(true)) void queries.invalidateQueries({ predicate: (q) => q.state.status === "error" });
};

/** Errors are Problems. What passes (no connection, a busy server) is tried again; the rest is shown at once. */
export const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError, onSuccess }),
  mutationCache: new MutationCache({ onError, onSuccess }),
  defaultOptions: {
    queries: {
      networkMode: "always",
      staleTime: 5_000,
      refetchOnWindowFocus: false,
      retry: (n, error) => {
        const p = asProblem(error);
        return n < 2 && (p.offline || p.status === 429 || p.status === 503);
      },
      retryDelay: (n, error) => asProblem(error).retryAfter * 1000 || Math.min(8_000, 500 * 2 ** n),
    },
    mutations: { networkMode: "always", retry: false },
  },
});
