import { Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconWifiOff } from "@tabler/icons-react";

import { asProblem } from "@/api/problem";

import { Note } from "./Note";

/** An error in the order cause, evidence, remedy. Nothing is shown that is not for people. */
export function ProblemNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const p = asProblem(error);
  return (
    <Note tone={p.offline ? "warn" : "bad"} icon={p.offline ? IconWifiOff : IconAlertTriangle} title={sentence(p.message)} role="alert">
      {p.because && <Text size="sm">{sentence(p.because)}</Text>}
      {p.invalid.map((i) => (
        <Text size="sm" key={i.location + i.message}>
          {i.location}: {i.message}
        </Text>
      ))}
      {p.remedy && (
        <Text size="sm" mt={4}>
          <b>What to do:</b> {p.remedy}
        </Text>
      )}
      {(onRetry ?? p.requestId) && (
        <Group gap="sm" mt={8}>
          {onRetry && (
            <Button size="compact-sm" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
          {p.requestId && (
            <Text size="xs" c="dimmed">
              request {p.requestId}
            </Text>
          )}
        </Group>
      )}
    </Note>
  );
}

/** Begins with a capital letter, unless the first word is the name of a file or a setting. */
export function sentence(text: string): string {
  if (/^\S+[._/:]\w/.test(text)) return text;
  return text === "" ? "" : text[0]?.toUpperCase() + text.slice(1);
}
