import { Button, Group, NativeSelect, PasswordInput, SegmentedControl, Text, TextInput } from "@mantine/core";
import { IconPlugConnected } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { saveConnection, tryConnection, type Connection } from "@/api/desk";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Connections.module.css";
import { Saw } from "./Saw";
import { emptyForm, mistakes, nameFor, readUrl, toChange, type Auth, type Form, type Tls } from "./url";

const tlsModes: readonly { value: Tls; label: string }[] = [
  { value: "", label: "as the host needs it: verified, off on this machine" },
  { value: "verify-full", label: "verify-full: encrypted, and it is that host" },
  { value: "verify-ca", label: "verify-ca: encrypted, by a known authority" },
  { value: "require", label: "require: encrypted, nothing verified" },
  { value: "disable", label: "disable: not encrypted" },
];

function formOf(c: Connection): Form {
  return {
    ...emptyForm, name: c.name, host: c.host ?? "", port: String(c.port ?? 5432), database: c.database ?? "", user: c.user ?? "",
    auth: c.auth_method === "secrets_manager" || c.auth_method === "iam" ? c.auth_method : "user_password", tls: tlsModes.find((m) => m.value === c.tls)?.value ?? "", rootCert: c.root_cert ?? "",
  };
}

/** Adds or edits a connection. A URL that is pasted fills the fields; the test logs in before anything is kept. */
export function ConnectionForm({ existing, taken, onSaved, onCancel }: {
  existing: Connection | null;
  taken: readonly string[];
  onSaved: (name: string) => void;
  onCancel?: () => void;
}) {
  const queries = useQueryClient();
  const isNew = existing === null;
  const [form, setForm] = useState<Form>(existing ? formOf(existing) : emptyForm);
  const [url, setUrl] = useState("");
  const [urlError, setUrlError] = useState("");
  const [sent, setSent] = useState(false);
  const test = useMutation({ mutationFn: () => tryConnection(toChange(form)) });
  const save = useMutation({
    mutationFn: () => saveConnection(toChange(form), isNew),
    onSuccess: async (c) => {
      await queries.invalidateQueries({ queryKey: ["connections"] });
      void queries.invalidateQueries({ queryKey: ["tables", c.name] });
      void queries.invalidateQueries({ queryKey: ["suggestions", c.name] });
      onSaved(c.name);
    },
  });
  const wrong = mistakes(form, taken, isNew);
  const shown = (field: keyof Form) => (sent ? wrong[field] : undefined);
  const set = <K extends keyof Form>(field: K, value: Form[K]) => {
    setForm((f) => ({ ...f, [field]: value }));
    test.reset();
  };
  const paste = (text: string) => {
    setUrl(text);
    if (text.trim() === "") return setUrlError("");
    const read = readUrl(text);
    if ("error" in read) return setUrlError(read.error);
    setUrlError("");
    setForm((f) => {
      const next = { ...f, ...read };
      return { ...next, name: isNew && f.name === "" ? nameFor(next, taken) : f.name };
    });
    setUrl(""); // it may hold a password
    test.reset();
  };
  const good = (then: () => void) => {
    setSent(true);
    if (Object.keys(wrong).length === 0) then();
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    good(() => save.mutate());
  };
  const keeps = existing?.has_secret === true && existing.host === form.host && String(existing.port ?? 5432) === form.port;
  return (
    <form className={classes.form} onSubmit={submit} noValidate>
      {isNew && (
        <TextInput
          label="URL"
          description="Paste one to fill the fields, or leave it and fill them yourself."
          placeholder="postgresql://reader@db.example.com/app"
          value={url}
          error={urlError || undefined}
          autoComplete="off"
          spellCheck={false}
          onChange={(e) => paste(e.currentTarget.value)}
        />
      )}
      <TextInput label="Name" description="As questions and tables use it." required value={form.name} disabled={!isNew} error={shown("name")} onChange={(e) => set("name", e.currentTarget.value)} />
      <div>
        <Text size="sm" fw={500} id="auth-label" mb={4}>How to log in</Text>
        <SegmentedControl
          fullWidth
          aria-labelledby="auth-label"
          value={form.auth}
          onChange={(v) => set("auth", v as Auth)}
          data={[{ value: "user_password", label: "Password" }, { value: "secrets_manager", label: "Secrets Manager" }, { value: "iam", label: "IAM" }]}
        />
      </div>
      <div className={classes.two}>
        <TextInput label="Host" required={form.auth !== "secrets_manager"} description={form.auth === "secrets_manager" ? "Empty: the secret has it." : undefined} value={form.host} error={shown("host")} onChange={(e) => set("host", e.currentTarget.value)} />
        <TextInput label="Port" inputMode="numeric" description={form.auth === "secrets_manager" ? " " : undefined} value={form.port} error={shown("port")} onChange={(e) => set("port", e.currentTarget.value)} />
      </div>
      <div className={classes.halves}>
        <TextInput label="Database" placeholder="postgres" value={form.database} onChange={(e) => set("database", e.currentTarget.value)} />
        <TextInput label="User" required={form.auth !== "secrets_manager"} value={form.user} error={shown("user")} autoComplete="off" onChange={(e) => set("user", e.currentTarget.value)} />
      </div>
      {form.auth === "user_password" && (
        <PasswordInput
          label="Password"
          description={keeps ? "One is kept. Leave this empty to keep it." : "Kept where only the server can read it, and never shown again."}
          value={form.password}
          autoComplete="new-password"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
          onChange={(e) => set("password", e.currentTarget.value)}
        />
      )}
      {form.auth === "secrets_manager" && (
        <TextInput label="ARN of the secret" description="JSON with username and password, and perhaps host, port and dbname." required={isNew} value={form.arn} error={shown("arn")} spellCheck={false} onChange={(e) => set("arn", e.currentTarget.value)} />
      )}
      {form.auth === "iam" && (
        <Text size="sm" c="dimmed">A token of RDS is made for each login, from the server's AWS role. The user needs rds_iam.</Text>
      )}
      <NativeSelect label="TLS" value={form.tls} data={tlsModes.map((m) => ({ ...m }))} onChange={(e) => set("tls", tlsModes.find((m) => m.value === e.currentTarget.value)?.value ?? "")} />
      {(form.tls === "verify-full" || form.tls === "verify-ca" || form.rootCert !== "") && (
        <TextInput label="Authorities" description="PEM file on the server; empty: those of the system." value={form.rootCert} onChange={(e) => set("rootCert", e.currentTarget.value)} />
      )}
      <div aria-live="polite">
        {test.data && <Saw test={test.data} />}
        {test.isError && <ProblemNote error={test.error} />}
        {save.isError && <ProblemNote error={save.error} />}
      </div>
      <Group justify="space-between" gap="xs">
        <Button variant="default" leftSection={<IconPlugConnected size={16} aria-hidden />} loading={test.isPending} onClick={() => good(() => test.mutate())}>
          Test
        </Button>
        <Group gap="xs">
          {onCancel && <Button variant="default" onClick={onCancel}>Cancel</Button>}
          <Button type="submit" loading={save.isPending}>Save</Button>
        </Group>
      </Group>
    </form>
  );
}
