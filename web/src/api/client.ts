import createClient, { type FetchResponse, type MaybeOptionalInit } from "openapi-fetch";
import type { MediaType } from "openapi-typescript-helpers";

import { asProblem, Problem, problemOf } from "./problem";
import type { paths } from "./schema";

/** Typed by the OpenAPI document: a path that does not exist does not compile. */
export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? "http://127.0.0.1",
  // Looked up for each call, so that tests may replace it.
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  async onResponse({ response }) {
    if (!response.ok) throw problemOf(response.status, await response.text(), response.headers);
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === "AbortError") return error;
    return asProblem(error);
  },
});

/**
 * The body of a successful reply. Everything else is thrown as a Problem, so that
 * queries and mutations have one kind of error.
 */
export async function body<T extends Record<string | number, unknown>, O, M extends MediaType>(
  reply: Promise<FetchResponse<T, O, M>>,
): Promise<NonNullable<FetchResponse<T, O, M>["data"]>> {
  const { data, response } = await reply;
  if (data === undefined || data === null) {
    throw new Problem({ title: "the server's answer is empty", code: "internal", status: response.status });
  }
  return data;
}

export type { MaybeOptionalInit };
