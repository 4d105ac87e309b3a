import { describe, expect, it } from "vitest";

import { emptyForm, mistakes, nameFor, readUrl, toChange } from "./url";

describe("readUrl", () => {
  it("takes a URL apart", () => {
    expect(readUrl("postgresql://reader:p%40ss%2Fword@db.example.com:6432/app?sslmode=verify-full&sslrootcert=/etc/ca.pem")).toEqual({
      auth: "user_password", host: "db.example.com", port: "6432", database: "app", user: "reader", password: "p@ss/word", tls: "verify-full", rootCert: "/etc/ca.pem",
    });
  });
  it("has PostgreSQL's defaults", () => {
    expect(readUrl(" postgres://me@localhost ")).toEqual({ auth: "user_password", host: "localhost", port: "5432", database: "me", user: "me" });
    expect(readUrl("postgresql://u@h:80/d")).toMatchObject({ port: "80" });
    expect(readUrl("postgresql://u@[::1]:5433/d")).toMatchObject({ host: "::1", port: "5433" });
    expect(readUrl("postgresql://u@h/d?sslmode=prefer")).not.toHaveProperty("tls");
  });
  it.each([
    "", "mysql://u@h/d", "http://h", "postgresql://", "postgresql://u@h:port/d", "postgresql://u@h/d?sslmode=maybe", "postgresql://u@h/d?service=x", "postgresql://u:%zz@h/d",
  ])("refuses %j and says why", (text) => {
    expect(readUrl(text)).toEqual({ error: expect.stringMatching(/\w/) });
  });
  it("never repeats a password", () => {
    const answer = readUrl("postgresql://u:canary@h/d?nonsense=1");
    expect(JSON.stringify(answer)).not.toContain("canary");
  });
});

describe("mistakes", () => {
  const form = { ...emptyForm, name: "shop", host: "db", user: "reader" };
  it("finds none in a whole form", () => expect(mistakes(form, ["other"], true)).toEqual({}));
  it("names the fields", () => {
    expect(Object.keys(mistakes({ ...form, name: "a b", host: " ", user: "", port: "0" }, [], true)).sort()).toEqual(["host", "name", "port", "user"]);
    expect(mistakes(form, ["shop"], true)).toHaveProperty("name");
    expect(mistakes(form, ["shop"], false)).toEqual({});
    expect(mistakes({ ...form, auth: "secrets_manager", host: "", user: "" }, [], true)).toHaveProperty("arn");
    expect(mistakes({ ...form, auth: "secrets_manager", host: "", arn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x" }, [], true)).toEqual({});
  });
});

describe("toChange", () => {
  it("sends only what belongs to the way of logging in", () => {
    const form = { ...emptyForm, name: "x", host: " h ", user: "u", password: "pw", arn: "arn:x" };
    expect(toChange(form)).toEqual({ name: "x", port: 5432, database: "postgres", auth_method: "user_password", host: "h", user: "u", password: "pw" });
    expect(toChange({ ...form, auth: "iam", tls: "verify-full" })).toEqual({ name: "x", port: 5432, database: "postgres", auth_method: "iam", host: "h", user: "u", tls: "verify-full" });
    expect(toChange({ ...form, auth: "secrets_manager" })).toMatchObject({ secret: "aws-sm:arn:x" });
    expect(toChange({ ...form, auth: "secrets_manager" })).not.toHaveProperty("password");
  });
});

describe("nameFor", () => {
  it("makes a name that is free", () => {
    expect(nameFor({ database: "my app", host: "h" }, [])).toBe("my_app");
    expect(nameFor({ database: "", host: "db.example.com" }, ["db"])).toBe("db_2");
    expect(nameFor({ database: "ß", host: "" }, [])).toBe("_");
  });
});
