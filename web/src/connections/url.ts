import type { ConnectionChange } from "@/api/desk";

export type Auth = "user_password" | "secrets_manager" | "iam";
export type Tls = "" | "disable" | "require" | "verify-ca" | "verify-full";

/** A connection as it is filled in. Everything is text until it is sent. */
export interface Form {
  name: string;
  host: string;
  port: string;
  database: string;
  user: string;
  auth: Auth;
  password: string;
  /** ARN of the secret in AWS Secrets Manager */
  arn: string;
  tls: Tls;
  rootCert: string;
}

export const emptyForm: Form = {
  name: "", host: "", port: "5432", database: "", user: "", auth: "user_password", password: "", arn: "", tls: "", rootCert: "",
};

const modes: readonly Tls[] = ["disable", "require", "verify-ca", "verify-full"];

/** Takes a postgresql:// URL apart. Text that is none, or that says what is not supported, is an error in words. */
export function readUrl(text: string): Partial<Form> | { error: string } {
  const m = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text.trim());
  if (!m) return { error: "A URL of PostgreSQL begins with postgresql://" };
  let url: URL;
  try {
    url = new URL("http://" + (m[1] ?? ""));
  } catch {
    return { error: "The URL cannot be read. Special characters in user and password are percent-encoded." };
  }
  const out: Partial<Form> = { auth: "user_password" };
  try {
    out.host = url.hostname.replace(/^\[|\]$/g, "");
    out.port = url.port || (/:80(\/|$)/.test(text) ? "80" : "5432");
    out.database = decodeURIComponent(url.pathname.slice(1)) || decodeURIComponent(url.username);
    if (url.username) out.user = decodeURIComponent(url.username);
    if (url.password) out.password = decodeURIComponent(url.password);
  } catch {
    return { error: "The URL has a % that begins no encoded character." };
  }
  for (const [key, value] of url.searchParams) {
    if (key === "sslrootcert") out.rootCert = value;
    else if (key !== "sslmode") return { error: `The parameter ${key} is not supported; sslmode and sslrootcert are.` };
    else {
      const mode = modes.find((t) => t === value);
      // prefer and allow promise nothing: the safe default takes their place.
      if (mode) out.tls = mode;
      else if (value !== "prefer" && value !== "allow") return { error: `There is no sslmode ${value}.` };
    }
  }
  if (!out.host) return { error: "The URL names no host." };
  return out;
}

const nameOk = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/;

/** A name for a connection, made of its database or host. */
export function nameFor(form: Pick<Form, "database" | "host">, taken: readonly string[]): string {
  const base = (form.database || form.host.split(".")[0] || "database").replace(/[^A-Za-z0-9_-]+/g, "_").replace(/^-+/, "").slice(0, 56) || "database";
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}_${n}`;
    if (!taken.includes(name)) return name;
  }
}

/** What keeps a form from being sent, by field. */
export function mistakes(f: Form, taken: readonly string[], isNew: boolean): Partial<Record<keyof Form, string>> {
  const out: Partial<Record<keyof Form, string>> = {};
  if (!nameOk.test(f.name)) out.name = "1 to 63 letters, digits, _ or -";
  else if (isNew && taken.includes(f.name)) out.name = "there is a connection of that name";
  const port = Number(f.port);
  if (!/^\d+$/.test(f.port) || port < 1 || port > 65535) out.port = "a number from 1 to 65535";
  if (f.auth === "secrets_manager") {
    if (!/^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]+:secret:\S+$/.test(f.arn)) out.arn = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
  } else {
    if (f.host.trim() === "") out.host = "the host's name or address";
    if (f.user.trim() === "") out.user = "the user to log in as";
  }
  return out;
}

/** The form as the server takes it: nothing that does not belong to the way of logging in. */
export function toChange(f: Form): ConnectionChange {
  const out: ConnectionChange = { name: f.name, port: Number(f.port), database: f.database.trim() || "postgres", auth_method: f.auth };
  if (f.host.trim()) out.host = f.host.trim();
  if (f.user.trim()) out.user = f.user.trim();
  if (f.tls) out.tls = f.tls;
  if (f.rootCert.trim()) out.root_cert = f.rootCert.trim();
  if (f.auth === "user_password" && f.password) out.password = f.password;
  if (f.auth === "secrets_manager" && f.arn.trim()) out.secret = "aws-sm:" + f.arn.trim();
  return out;
}
