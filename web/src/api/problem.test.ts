import { describe, expect, it } from "vitest";

import { asProblem, Problem, problemOf } from "./problem";

const headers = (h: Record<string, string> = {}) => new Headers(h);

describe("problemOf", () => {
  it("reads a problem document whole", () => {
    const p = problemOf(
      422,
      JSON.stringify({
        type: "urn:sparkwright:problem:invalid",
        title: "the request does not fit",
        status: 422,
        code: "invalid",
        cause: "a table is not there",
        remedy: "select another one",
        request_id: "r1",
        errors: [{ location: "body.tables", message: "unknown" }, "no error"],
      }),
      headers(),
    );
    expect(p).toBeInstanceOf(Problem);
    expect([p.message, p.code, p.status, p.because, p.remedy, p.requestId]).toEqual([
      "the request does not fit", "invalid", 422, "a table is not there", "select another one", "r1",
    ]);
    expect(p.invalid).toEqual([{ location: "body.tables", message: "unknown" }]);
  });

  it("tells a person who is not logged in what to do, not a program", () => {
    const p = problemOf(401, JSON.stringify({ title: "this needs a login", code: "unauthorized", remedy: "send Authorization: Bearer" }), headers());
    expect(p.remedy).toMatch(/load the page anew/);
    expect(problemOf(403, JSON.stringify({ title: "not allowed", code: "unauthorized", remedy: "ask an admin" }), headers()).remedy).toBe("ask an admin");
  });

  it("takes Retry-After", () => {
    const p = problemOf(429, JSON.stringify({ title: "too many runs", code: "busy" }), headers({ "Retry-After": "5" }));
    expect([p.code, p.retryAfter, p.status]).toEqual(["busy", 5, 429]);
  });

  it.each(["<html>Bad gateway</html>", "", "[]", "null", '{"detail":"Not Found"}'])("does not show other bodies: %s", (body) => {
    const p = problemOf(502, body, headers({ "X-Request-Id": "r9" }));
    expect(p.message).toBe("the server answered 502 without saying why");
    expect([p.code, p.requestId]).toEqual(["unavailable", "r9"]);
  });
});

describe("asProblem", () => {
  it("knows a lost connection", () => {
    expect(asProblem(new TypeError("Failed to fetch")).offline).toBe(true);
  });
  it("keeps a problem as it is", () => {
    const p = new Problem({ title: "t", code: "c" });
    expect(asProblem(p)).toBe(p);
  });
  it("has words for anything else", () => {
    expect(asProblem(new Error("bad")).message).toBe("bad");
    expect(asProblem("text").code).toBe("internal");
  });
});
