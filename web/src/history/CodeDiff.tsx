import { Editor } from "@/answer/Editor";

/** The code of B, with what has changed since A. Loaded when it is looked at. */
export default function CodeDiff({ before, after }: { before: string; after: string }) {
  return <Editor doc={after} language="python" label="Code of both runs" {...(before === after ? {} : { before })} />;
}
