import { Button, CloseButton, Combobox, Textarea, useCombobox } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";

import { metaQuery, recentQuery, someTablesQuery } from "@/api/queries";
import type { Run } from "@/api/types";
import { tableName } from "@/lib/format";
import { complete, mentionAt, type Mention } from "@/lib/mention";
import { modifier } from "@/shell/keys";
import { ProblemNote } from "@/shell/ProblemNote";

import { request, requestAfter, useAsk } from "./ask";
import classes from "./Composer.module.css";
import { draft, pickTable, toggleTable, useDraft } from "./draft";
import { Engine } from "./Engine";

interface Props {
  /** The run that is followed up */
  after?: Run;
  placeholder: string;
  rows?: number;
  autoFocus?: boolean;
}

/** Where a question is written: @ picks a table, ⌘⏎ runs, ↑ brings the last one back. */
export function Composer({ after, placeholder, rows = 2, autoFocus }: Props) {
  const d = useDraft();
  const [followUp, setFollowUp] = useState("");
  const [besides, setBesides] = useState<string[]>([]);
  const text = after ? followUp : d.text;
  const setText = (t: string) => (after ? setFollowUp(t) : draft.set({ text: t }));
  const connection = after ? (after.question.connection ?? d.connection) : d.connection;
  const tables = after ? [...new Set([...(after.question.tables ?? []), ...besides])] : d.tables;
  const [mention, setMention] = useState<Mention | null>(null);
  const [back, setBack] = useState(-1); // how far ↑ has gone
  const input = useRef<HTMLTextAreaElement>(null);
  const ask = useAsk();
  const meta = useQuery(metaQuery);
  const recent = useQuery({ ...recentQuery, staleTime: Infinity });
  // What was asked in this tab, then what was asked before it was opened.
  const asked = useMemo(() => [...new Set([...d.asked, ...(recent.data ?? []).map((r) => r.question.text).filter(Boolean)])], [d.asked, recent.data]);
  const most = meta.data?.limits.question_chars ?? 0;
  const tooLong = most > 0 && text.length > most;

  const [searched] = useDebouncedValue(mention?.query ?? "", 120);
  const found = useQuery({ ...someTablesQuery(connection, searched), enabled: mention !== null && connection !== "" });
  const options = mention ? (found.data ?? []).slice(0, 8) : [];
  const shown = mention !== null && options.length > 0;
  const combobox = useCombobox({ opened: shown, onDropdownClose: () => combobox.resetSelectedOption() });
  useEffect(() => {
    if (shown) combobox.selectFirstOption();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the combobox is another one each time
  }, [shown, found.data]);

  // Where the caret goes after a mention is completed: it must wait for the new text.
  const caret = useRef<number | null>(null);
  useEffect(() => {
    if (caret.current === null) return;
    input.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  const look = () => {
    const el = input.current;
    setMention(el && el.selectionStart === el.selectionEnd ? mentionAt(el.value, el.selectionStart) : null);
  };
  const pick = (qualified: string) => {
    if (!mention) return;
    const done = complete(text, mention, tableName(qualified));
    caret.current = done.caret;
    setText(done.text);
    if (after) setBesides((b) => [...b, qualified]);
    else pickTable(qualified);
    setMention(null);
    input.current?.focus();
  };
  const run = () => {
    const question = text.trim();
    if (question === "" || tooLong || ask.isPending) return;
    ask.mutate(after ? requestAfter(after, question, besides) : request(question), { onSuccess: () => setFollowUp("") });
  };
  const onKey = (e: KeyboardEvent<HTMLTextAreaElement>) => {
    if (e.nativeEvent.isComposing) return;
    if (shown && e.key === "Escape") {
      e.preventDefault();
      e.stopPropagation();
      setMention(null);
    } else if (shown && (e.key === "Tab" || (e.key === "Enter" && !e.metaKey && !e.ctrlKey))) {
      e.preventDefault();
      const at = combobox.getSelectedOptionIndex();
      const option = options[Math.max(0, at)];
      if (option) pick(option.qualified);
    } else if (e.key === "Enter" && (e.metaKey || e.ctrlKey)) {
      e.preventDefault();
      run();
    } else if (!shown && e.key === "ArrowUp" && (text === "" || (back >= 0 && text === asked[back]))) {
      const last = asked[back + 1];
      if (last !== undefined) {
        e.preventDefault();
        setBack(back + 1);
        setText(last);
      }
    } else if (!shown && e.key === "ArrowDown" && back >= 0 && text === asked[back]) {
      e.preventDefault();
      setBack(back - 1);
      setText(asked[back - 1] ?? "");
    }
  };

  return (
    <div>
      <form
        className={classes.composer}
        onSubmit={(e) => {
          e.preventDefault();
          run();
        }}
      >
        <div className={classes.text}>
          <Combobox store={combobox} onOptionSubmit={pick} position="bottom-start" withinPortal={false}>
            <Combobox.EventsTarget withAriaAttributes={shown}>
              <Textarea
                ref={input}
                id={after ? "follow-up" : "question"}
                classNames={{ input: classes.input }}
                value={text}
                autosize
                minRows={rows}
                maxRows={10}
                autoFocus={autoFocus}
                dir="auto"
                placeholder={placeholder}
                aria-label={after ? "Follow-up question" : "Question"}
                aria-keyshortcuts="Control+Enter Meta+Enter"
                onChange={(e) => {
                  setText(e.currentTarget.value);
                  setBack(-1);
                  look();
                }}
                onSelect={look}
                onBlur={() => setMention(null)}
                onKeyDown={onKey}
              />
            </Combobox.EventsTarget>
            <Combobox.DropdownTarget>
              <div />
            </Combobox.DropdownTarget>
            <Combobox.Dropdown>
              <Combobox.Options aria-label="Tables">
                {options.map((t) => (
                  <Combobox.Option key={t.qualified} value={t.qualified} onMouseDown={(e) => e.preventDefault()}>
                    <span dir="auto">{t.name}</span> <span className={classes.where}>{t.schema}{t.comment ? ` · ${t.comment}` : ""}</span>
                  </Combobox.Option>
                ))}
              </Combobox.Options>
            </Combobox.Dropdown>
          </Combobox>
        </div>
        <div className={classes.foot}>
          <div className={classes.chips}>
            {tables.length === 0
              ? connection && <span className="cut">All of {connection}; type @ for a table</span>
              : tables.slice(0, 8).map((t) => (
                  <span key={t} className={classes.chip} title={t}>
                    <span className="cut" dir="auto">{tableName(t)}</span>
                    {after ? (
                      besides.includes(t) && <CloseButton size="xs" aria-label={`Drop ${tableName(t)}`} onClick={() => setBesides((b) => b.filter((x) => x !== t))} />
                    ) : (
                      <CloseButton size="xs" aria-label={`Drop ${tableName(t)}`} onClick={() => toggleTable(t)} />
                    )}
                  </span>
                ))}
            {tables.length > 8 && <span>and {tables.length - 8} more</span>}
          </div>
          <div className={classes.engine}>
            <Engine connection={connection} tables={tables} />
            <Button type="submit" loading={ask.isPending} disabled={text.trim() === "" || tooLong} leftSection={<IconPlayerPlay size={15} aria-hidden />}>
              Run
              <span className="visually-hidden">the question</span>
              <span aria-hidden className="hint" style={{ marginLeft: 8, fontSize: 12 }}>{modifier()}⏎</span>
            </Button>
          </div>
        </div>
      </form>
      <div aria-live="polite">
        {tooLong && (
          <p style={{ color: "var(--sw-bad)", margin: "8px 4px 0", fontSize: 13 }}>
            {text.length - most} characters too many: a question has at most {most}.
          </p>
        )}
      </div>
      {ask.isError && (
        <div style={{ marginTop: 12 }}>
          <ProblemNote error={ask.error} onRetry={run} />
        </div>
      )}
    </div>
  );
}
