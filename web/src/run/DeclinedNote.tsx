import { Button, Group, Stack, Text } from "@mantine/core";
import { IconArrowUpRight, IconMessageQuestion } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";

import type { Declined, Run } from "@/api/types";
import { Note } from "@/shell/Note";
import { sentence } from "@/shell/ProblemNote";
import { requestAfter, useAsk } from "@/workbench/ask";

/** Why a question was not answered, what is near it, and what could be asked instead. It has cost nothing. */
export function DeclinedNote({ run, declined: d }: { run: Run; declined: Declined }) {
  const ask = useAsk();
  const choices = d.choices ?? [];
  const could = d.could ?? [];
  // How a model is set up is said below, in the page's own terms.
  const why = d.message.split(" To have any question answered,")[0] ?? d.message;
  const unplaced = (d.unplaced ?? []).filter((w) => !why.includes(w));
  const planned = !run.generator || run.generator === "planner";
  return (
    <Stack gap="md">
      <Note tone="warn" icon={IconMessageQuestion} title={sentence(why)}>
        {unplaced.length > 0 && (
          <Text size="sm">
            Nothing in the tables tells {unplaced.map((w) => `“${w}”`).join(", ")}.
          </Text>
        )}
        {(d.near ?? []).length > 0 && (
          <Text size="sm">
            Near it: <span className="mono">{(d.near ?? []).join(", ")}</span>
          </Text>
        )}
      </Note>
      <Offers title="It can be read in several ways. Which one?" texts={choices} onAsk={(t) => ask.mutate(requestAfter(run, t))} busy={ask.isPending} />
      <Offers title="This could be answered" texts={could} onAsk={(t) => ask.mutate(requestAfter(run, t))} busy={ask.isPending} />
      {planned && (
        <Text size="sm" c="dimmed">
          The built-in planner answers only what it fully understands. A model answers more: <Link to="/settings">set one in the settings</Link>.
        </Text>
      )}
    </Stack>
  );
}

function Offers({ title, texts, onAsk, busy }: { title: string; texts: string[]; onAsk: (t: string) => void; busy: boolean }) {
  if (texts.length === 0) return null;
  return (
    <section aria-label={title}>
      <Text fw={600} size="sm" mb={8}>
        {title}
      </Text>
      <Group gap="xs">
        {texts.map((t) => (
          <Button key={t} variant="default" disabled={busy} onClick={() => onAsk(t)} leftSection={<IconArrowUpRight size={15} aria-hidden />} fw={400}
            styles={{ root: { height: "auto", minHeight: 36, paddingBlock: 6 }, label: { whiteSpace: "normal", textAlign: "left", overflow: "visible", height: "auto", lineHeight: 1.45 } }}>
            {t}
          </Button>
        ))}
      </Group>
    </section>
  );
}
