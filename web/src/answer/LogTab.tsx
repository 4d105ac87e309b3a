import { ActionIcon, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconArrowDown, IconSearch } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";

import type { Run } from "@/api/types";
import type { RunStory } from "@/api/useRunEvents";
import { plural } from "@/lib/format";

import classes from "./Answer.module.css";
import log from "./LogTab.module.css";
import { Panel } from "./Panel";

/** What the job printed, live, with search. It follows the end until it is scrolled away from it. */
export function LogTab({ run, story }: { run: Run; story: RunStory }) {
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text.trim().toLowerCase(), 150);
  const lines = useMemo(() => (q === "" ? story.log : story.log.filter((l) => l.text.toLowerCase().includes(q))), [story.log, q]);
  const scroll = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
   
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => 20, overscan: 30 });
  useEffect(() => {
    if (following && lines.length > 0) rows.scrollToIndex(lines.length - 1);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the virtualizer is the same one
  }, [lines.length, following]);
  if (story.log.length === 0) {
    return <Panel>{run.final ? "The job has printed nothing." : "The job has printed nothing yet. What it prints appears here at once."}</Panel>;
  }
  return (
    <>
      <div className={classes.toolbar}>
        <TextInput size="xs" w={240} value={text} onChange={(e) => setText(e.currentTarget.value)} placeholder="Search the log" aria-label="Search the log" leftSection={<IconSearch size={14} aria-hidden />} />
        <span role="status" className="tabular">
          {q === "" ? plural(lines.length, "line") : `${lines.length} of ${plural(story.log.length, "line")}`}
        </span>
        <span className={classes.space} />
        {!following && (
          <Tooltip label="To the end">
            <ActionIcon aria-label="To the end" onClick={() => setFollowing(true)}>
              <IconArrowDown size={16} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <div
        ref={scroll}
        className={classes.scroll}
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={(e) => {
          const el = e.currentTarget;
          setFollowing(el.scrollHeight - el.scrollTop - el.clientHeight < 24);
        }}
      >
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (!line) return null;
            return (
              <div key={line.seq} ref={rows.measureElement} data-index={item.index} className={`${log.line} mono`} data-stream={line.stream} style={{ transform: `translateY(${item.start}px)` }}>
                <time className={log.time} dateTime={line.at}>{line.at.slice(11, 19)}</time>
                <span className={log.text}>{line.text}</span>
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}
