import { Button, Group, NumberInput, PasswordInput, Switch, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconSearch } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useBlocker } from "@tanstack/react-router";
import { useId, useState } from "react";

import { changeSettings, settingKeysQuery, settingsQuery } from "@/api/desk";
import { filterMark } from "@/shell/keys";
import { ListWaiting, Page, pageClasses } from "@/shell/Page";
import { ProblemNote } from "@/shell/ProblemNote";

import { edit, search, sectionsOf, spans, toChange, type Edits, type Setting, type Value } from "./model";
import classes from "./Settings.module.css";

/** Every setting with what it means. Secrets are taken and never shown. */
export function SettingsPage() {
  const queries = useQueryClient();
  const keys = useQuery(settingKeysQuery);
  const now = useQuery(settingsQuery);
  const [text, setText] = useState("");
  const [edits, setEdits] = useState<Edits>({});
  const all = keys.data && now.data ? sectionsOf(keys.data, now.data) : [];
  const found = search(all, text);
  const changed = Object.keys(edits).length;
  const save = useMutation({
    mutationFn: () => changeSettings(toChange(all, edits)),
    onSuccess: (next) => {
      queries.setQueryData(settingsQuery.queryKey, next);
      void queries.invalidateQueries({ queryKey: ["meta"] });
      setEdits({});
      notifications.show({ title: "Saved", message: "Most settings hold from the next start of the server on." });
    },
  });
  useBlocker({ shouldBlockFn: () => changed > 0 && !window.confirm("Changes are not saved yet. Leave them?"), enableBeforeUnload: () => changed > 0 });
  const wrong = keys.error ?? now.error;
  const change = (s: Setting, value: Value | null) => {
    save.reset();
    setEdits((e) => edit(e, s, value));
  };
  return (
    <Page title="Settings" lead={<>What settings.json says. Databases are under <Link to="/connections">Connections</Link>.</>}>
      {wrong && <ProblemNote error={wrong} onRetry={() => { void keys.refetch(); void now.refetch(); }} />}
      {!wrong && all.length === 0 && <ListWaiting rows={6} height={72} />}
      {all.length > 0 && (
        <>
          <TextInput {...filterMark} leftSection={<IconSearch size={15} aria-hidden />} placeholder="Find a setting" aria-label="Find a setting" value={text} onChange={(e) => setText(e.currentTarget.value)} mb="md" />
          {(now.data?.warnings ?? []).map((w) => (
            <Text key={w} size="sm" mb="xs" className={classes.warning}>{w}</Text>
          ))}
          {found.length === 0 && <div className={`${pageClasses.card} ${pageClasses.empty}`}>No setting fits that.</div>}
          {found.map((s) => (
            <section key={s.title} className={classes.section} aria-label={s.title}>
              <h2>{s.title}</h2>
              {s.about && <p className={classes.about}>{s.about}</p>}
              <div className={pageClasses.card}>
                {s.settings.map((one) => (
                  <Line key={one.key} setting={one} edited={edits[one.key]} onChange={(v) => change(one, v)} />
                ))}
              </div>
            </section>
          ))}
          {(changed > 0 || save.isError) && (
            <div className={classes.save} role="region" aria-label="Changes">
              {save.isError && <ProblemNote error={save.error} />}
              <Group justify="space-between">
                <span role="status">{changed === 1 ? "1 change" : `${changed} changes`}</span>
                <Group gap="xs">
                  <Button variant="default" onClick={() => { setEdits({}); save.reset(); }}>Drop them</Button>
                  <Button loading={save.isPending} disabled={changed === 0} onClick={() => save.mutate()}>Save</Button>
                </Group>
              </Group>
            </div>
          )}
        </>
      )}
    </Page>
  );
}

function Line({ setting: s, edited, onChange }: { setting: Setting; edited: Value | null | undefined; onChange: (v: Value | null) => void }) {
  const id = useId();
  const value = edited === undefined ? s.value : edited === null ? s.fallback : edited;
  const fixed = s.environment;
  const shared = { id, disabled: fixed, "aria-describedby": `${id}-about` };
  return (
    <div className={classes.line} data-edited={edited !== undefined || undefined}>
      <div className={classes.what}>
        <label htmlFor={id}>{s.name}</label>
        <code className={classes.key}>{s.key}</code>
        <p id={`${id}-about`} className={classes.about}>
          {spans(s.about).map((part, i) => (part.code ? <code key={i}>{part.text}</code> : <span key={i}>{part.text}</span>))}
          {fixed && <> It is set by <code>{s.variable}</code>, which comes before what is changed here.</>}
        </p>
      </div>
      <div className={classes.value}>
        {s.secret ? (
          <Secret setting={s} edited={edited} shared={shared} onChange={onChange} />
        ) : s.kind === "boolean" ? (
          <Switch {...shared} checked={value === true} onChange={(e) => onChange(e.currentTarget.checked)} label={value === true ? "on" : "off"} />
        ) : s.kind === "number" ? (
          <NumberInput {...shared} value={typeof value === "boolean" ? "" : value} allowDecimal={false} allowNegative={false} hideControls onChange={(v) => onChange(typeof v === "number" ? v : v === "" ? s.fallback : Number(v))} />
        ) : (
          <TextInput {...shared} value={String(value)} placeholder={s.fallback === "" ? "not set" : String(s.fallback)} spellCheck={false} onChange={(e) => onChange(e.currentTarget.value)} />
        )}
        {!s.secret && !fixed && value !== s.fallback && (
          <Button variant="transparent" size="compact-xs" c="dimmed" px={0} onClick={() => onChange(s.value === s.fallback ? s.value : null)}>
            back to {s.fallback === "" ? "not set" : String(s.fallback)}
            <span className="visually-hidden">, the default of {s.key}</span>
          </Button>
        )}
      </div>
    </div>
  );
}

function Secret({ setting: s, edited, shared, onChange }: {
  setting: Setting;
  edited: Value | null | undefined;
  shared: { id: string; disabled: boolean; "aria-describedby": string };
  onChange: (v: Value | null) => void;
}) {
  return (
    <>
      <PasswordInput
        {...shared}
        value={typeof edited === "string" ? edited : ""}
        placeholder={edited === null ? "will be forgotten" : s.known ? "kept; type to replace" : "not set"}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": `Show or hide ${s.key}` }}
        onChange={(e) => onChange(e.currentTarget.value)}
      />
      <Group gap="xs" mt={4}>
        <span className="muted" style={{ fontSize: 12 }}>{s.known ? "a secret is kept" : "no secret is kept"}</span>
        {s.known && edited !== null && !shared.disabled && (
          <Button variant="transparent" size="compact-xs" c="dimmed" px={0} onClick={() => onChange(null)}>forget it<span className="visually-hidden">: {s.key}</span></Button>
        )}
      </Group>
    </>
  );
}
