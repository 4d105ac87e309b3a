import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";

import classes from "./Answer.module.css";
import { extensions, mark, type EditorOptions, type Remark } from "./editor";

/** CodeMirror. It is made anew when the document, the comparison or the mode changes from outside; typing changes none of them. */
export function Editor({ remarks, onChange, onRun, ...o }: EditorOptions & { remarks?: readonly Remark[] }) {
  const host = useRef<HTMLDivElement>(null);
  const calls = useRef({ onChange, onRun });
  useEffect(() => {
    calls.current = { onChange, onRun };
  });
  const editable = onChange !== undefined;
  const { doc, language, before, label } = o;
  useEffect(() => {
    if (!host.current) return;
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc,
        extensions: extensions({
          doc, language, label,
          ...(before === undefined ? {} : { before }),
          ...(editable ? { onChange: (d) => calls.current.onChange?.(d), onRun: () => calls.current.onRun?.() } : {}),
        }),
      }),
    });
    mark(view, remarks ?? []);
    if (editable) view.focus();
    return () => view.destroy();
  }, [doc, language, before, label, editable, remarks]);
  return <div ref={host} className={classes.editor} />;
}
