import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { unifiedMergeView } from "@codemirror/merge";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { nonce } from "@/lib/nonce";

/** A line of the code about which there is something to say. */
export interface Remark {
  line: number; // from 1
  message: string;
  severity: "error" | "warning";
}

/** Colours come from variables, so that both themes have their own. */
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.definitionKeyword, tags.controlKeyword], color: "var(--sw-code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--sw-code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--sw-code-number)" },
  { tag: [tags.comment, tags.lineComment, tags.blockComment], color: "var(--sw-muted)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: "var(--sw-code-function)" },
  { tag: [tags.className, tags.typeName], color: "var(--sw-code-type)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "12.5px", backgroundColor: "transparent", color: "var(--sw-text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mantine-font-family-monospace)", lineHeight: "1.6", fontVariantLigatures: "none" },
  ".cm-content": { padding: "12px 0", caretColor: "var(--sw-accent)" },
  ".cm-line": { padding: "0 16px 0 8px" },
  ".cm-gutters": { backgroundColor: "transparent", border: "none", color: "var(--sw-muted)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 16px", minWidth: "36px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--sw-accent) 7%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--sw-accent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--sw-accent) 22%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--sw-raised)", color: "var(--sw-text)", borderColor: "var(--sw-line)" },
  ".cm-tooltip": { backgroundColor: "var(--sw-raised)", color: "var(--sw-text)", border: "1px solid var(--sw-line-strong)", borderRadius: "6px" },
  // Soft enough that comments and numbers keep a contrast of 4.5 on them in both themes; a line says what a tint is too weak for.
  ".cm-changedLine": { backgroundColor: "color-mix(in srgb, var(--sw-good) 6%, transparent) !important" },
  ".cm-changedText": { background: "color-mix(in srgb, var(--sw-good) 10%, transparent) !important", boxShadow: "inset 0 -2px var(--sw-good)" },
  ".cm-deletedChunk": { backgroundColor: "color-mix(in srgb, var(--sw-bad) 6%, transparent) !important" },
  ".cm-deletedChunk .cm-deletedText": { background: "color-mix(in srgb, var(--sw-bad) 10%, transparent) !important", boxShadow: "inset 0 -2px var(--sw-bad)" },
  ".cm-diagnostic": { fontFamily: "var(--mantine-font-family)", fontSize: "13px" },
});

export interface EditorOptions {
  doc: string;
  language: "python" | "sql";
  /** undefined = read only */
  onChange?: (doc: string) => void;
  /** ⌘⏎ */
  onRun?: () => void;
  /** The version that this one is compared with */
  before?: string;
  label: string;
}

/** The extensions of an editor. */
export function extensions(o: EditorOptions): Extension[] {
  return [
    EditorView.cspNonce.of(nonce),
    lineNumbers(),
    drawSelection(),
    bracketMatching(),
    syntaxHighlighting(colours),
    o.language === "python" ? python() : sql({ dialect: PostgreSQL, upperCaseKeywords: false }),
    search({ top: true }),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": o.label, tabindex: "0" }),
    look,
    ...(o.onChange
      ? [
          history(),
          indentOnInput(),
          highlightActiveLine(),
          keymap.of([{ key: "Mod-Enter", run: () => (o.onRun?.(), true) }, indentWithTab, ...defaultKeymap, ...historyKeymap, ...searchKeymap]),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) o.onChange?.(u.state.doc.toString());
          }),
        ]
      : [EditorState.readOnly.of(true), EditorView.editable.of(false), keymap.of(searchKeymap)]),
    ...(o.before === undefined ? [] : [unifiedMergeView({ original: o.before, mergeControls: false, gutter: true, highlightChanges: true })]),
    lintGutter(),
  ];
}

/** Marks the lines that remarks are about. Lines that are not there are left out. */
export function mark(view: EditorView, remarks: readonly Remark[]): void {
  const doc = view.state.doc;
  const found: Diagnostic[] = remarks
    .filter((r) => r.line >= 1 && r.line <= doc.lines)
    .map((r) => {
      const line = doc.line(r.line);
      return { from: line.from + (/^\s*/.exec(line.text)?.[0].length ?? 0), to: line.to, severity: r.severity, message: r.message };
    });
  view.dispatch(setDiagnostics(view.state, found));
}
