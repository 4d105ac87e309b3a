/** What of a request does not fit. */
export interface Invalid {
  location: string;
  message: string;
}

/** An RFC 9457 problem document of the server, or what stands for one when the server was not reached. */
export class Problem extends Error {
  /** Kind of the error, for programs: "declined", "not_found" … or "offline" */
  readonly code: string;
  readonly status: number;
  /** Why, when it is known */
  readonly because: string;
  /** What to do next, when it is known */
  readonly remedy: string;
  readonly requestId: string;
  readonly invalid: Invalid[];
  /** Seconds after which another try makes sense, 0 = not told */
  readonly retryAfter: number;

  constructor(init: {
    title: string;
    code: string;
    status?: number;
    because?: string;
    remedy?: string;
    requestId?: string;
    invalid?: Invalid[];
    retryAfter?: number;
  }) {
    super(init.title);
    this.name = "Problem";
    this.code = init.code;
    this.status = init.status ?? 0;
    this.because = init.because ?? "";
    this.remedy = init.remedy ?? "";
    this.requestId = init.requestId ?? "";
    this.invalid = init.invalid ?? [];
    this.retryAfter = init.retryAfter ?? 0;
  }

  /** The server was not reached: the page tries again by itself. */
  get offline(): boolean {
    return this.code === "offline";
  }
}

const isRecord = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const text = (v: unknown): string => (typeof v === "string" ? v : "");

/** Reads the body of a response that is not a success. Bodies of proxies are not shown: they are not for people. */
export function problemOf(status: number, body: string, headers: Pick<Headers, "get">): Problem {
  const retryAfter = Number(headers.get("Retry-After")) || 0;
  let doc: unknown;
  try {
    doc = JSON.parse(body);
  } catch {
    doc = undefined;
  }
  if (!isRecord(doc) || text(doc.title) === "") {
    return new Problem({
      title: `the server answered ${status} without saying why`,
      code: status >= 500 ? "unavailable" : "internal",
      status,
      remedy: status >= 500 ? "try again; if it stays so, look at the server's log" : "",
      requestId: headers.get("X-Request-Id") ?? "",
      retryAfter,
    });
  }
  const invalid = (Array.isArray(doc.errors) ? doc.errors : [])
    .filter(isRecord)
    .map((e) => ({ location: text(e.location), message: text(e.message) }));
  return new Problem({
    title: text(doc.title),
    code: text(doc.code) || "internal",
    status: typeof doc.status === "number" ? doc.status : status,
    because: text(doc.cause),
    // What the server says is for programs, which send a token.
    remedy: status === 401 ? "load the page anew: that leads to the login; runs go on meanwhile" : text(doc.remedy),
    requestId: text(doc.request_id) || (headers.get("X-Request-Id") ?? ""),
    invalid,
    retryAfter,
  });
}

/** Any thrown value as a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    // What fetch throws when there is no connection.
    return new Problem({
      title: "the server is not reached",
      code: "offline",
      because: "it has stopped, or the network is away",
      remedy: "the page tries again by itself",
    });
  }
  return new Problem({ title: error instanceof Error ? error.message : String(error), code: "internal" });
}
