import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { Spotlight, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconHelp, IconMoon, IconPlus, IconSearch, IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useState } from "react";

import { connectionsQuery, recentQuery, someTablesQuery } from "@/api/queries";
import { count, day } from "@/lib/format";
import { State } from "@/run/State";
import { pickTable, useDraft } from "@/workbench/draft";

import { places } from "./nav";

/** ⌘K: commands, tables of the chosen connection, and recent runs. */
export function Palette({ onHelp }: { onHelp: () => void }) {
  const navigate = useNavigate();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const [text, setText] = useState("");
  const [asked] = useDebouncedValue(text.trim(), 150);
  const [opened, setOpened] = useState(false);
  const connections = useQuery(connectionsQuery);
  const draft = useDraft();
  const connection = draft.connection || connections.data?.[0]?.name || "";
  const tables = useQuery({ ...someTablesQuery(connection, asked), enabled: opened && asked !== "" && connection !== "" });
  const recent = useQuery({ ...recentQuery, enabled: opened });

  const fits = (label: string) => label.toLowerCase().includes(text.trim().toLowerCase());
  const commands = [
    ...places.map((p) => ({ id: p.to, label: p.label, leftSection: <p.icon size={16} aria-hidden />, onClick: () => void navigate({ to: p.to }) })),
    {
      id: "new", label: "New question", leftSection: <IconPlus size={16} aria-hidden />,
      onClick: () => void navigate({ to: "/ask" }).then(() => document.getElementById("question")?.focus()),
    },
    {
      id: "theme", label: scheme === "dark" ? "Light theme" : "Dark theme", leftSection: <IconMoon size={16} aria-hidden />,
      onClick: () => setColorScheme(scheme === "dark" ? "light" : "dark"),
    },
    { id: "help", label: "Keyboard and help", leftSection: <IconHelp size={16} aria-hidden />, onClick: onHelp },
  ].filter((c) => fits(c.label));
  const found = asked === "" ? [] : (tables.data ?? []);
  const runs = (recent.data ?? []).filter((r) => fits(r.question.text)).slice(0, 6);

  const groups: SpotlightActionGroupData[] = [
    { group: "Commands", actions: commands },
    {
      group: `Tables of ${connection}`,
      actions: found.map((t) => ({
        id: t.qualified, label: `${t.schema}.${t.name}`, description: t.comment,
        leftSection: <IconTable size={16} aria-hidden />,
        rightSection: <span className="muted tabular">{t.row_estimate < 0 ? "" : `${count(t.row_estimate)} rows`}</span>,
        onClick: () => {
          pickTable(t.qualified);
          void navigate({ to: "/ask" }).then(() => document.getElementById("question")?.focus());
        },
      })),
    },
    {
      group: "Recent runs",
      actions: runs.map((r) => ({
        id: r.id, label: r.question.text || "Analysis code", description: day(r.created_at),
        leftSection: <State state={r.state} iconOnly />,
        onClick: () => void navigate({ to: "/runs/$runId", params: { runId: r.id } }),
      })),
    },
  ].filter((g) => g.actions.length > 0);

  return (
    <Spotlight
      actions={groups}
      query={text}
      onQueryChange={setText}
      filter={(_, all) => all}
      onSpotlightOpen={() => setOpened(true)}
      onSpotlightClose={() => {
        setOpened(false);
        setText("");
      }}
      shortcut={["mod + K"]}
      tagsToIgnore={[]}
      nothingFound="Nothing has that name"
      highlightQuery
      scrollable
      maxHeight={440}
      transitionProps={{ duration: 100 }}
      overlayProps={{ blur: 0, backgroundOpacity: 0.4 }}
      attributes={{ content: { "aria-label": "Tables and commands" } }}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: "A table, a command, a question that was asked",
        "aria-label": "Tables and commands",
        onKeyDown: (event) => {
          if (text.trim() === asked) takeFirst(event); // what is listed is what was asked for
        },
      }}
    />
  );
}

/**
 * Enter without a selection takes the first that is found. A list that has just
 * changed has lost its selection.
 */
function takeFirst(event: KeyboardEvent<HTMLInputElement>) {
  const list = event.currentTarget.closest("[role=dialog]");
  if (event.key !== "Enter" || event.nativeEvent.isComposing || !list || list.querySelector("[data-action][data-selected]")) return;
  list.querySelector<HTMLElement>("[data-action]")?.click();
}
