import { Anchor, Modal, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { metaQuery } from "@/api/queries";

import { modifier } from "./keys";
import { places } from "./nav";

/** What the keyboard does, and what this server is. */
export function Help({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const mod = modifier();
  const meta = useQuery({ ...metaQuery, enabled: opened });
  const keys: readonly [string[], string][] = [
    [[`${mod}⏎`], "Run the question"],
    [["Esc"], "Cancel the run that is shown"],
    [["↑"], "The last question, in an empty box"],
    [["@"], "Pick a table while typing"],
    [[`${mod}K`], "Tables and commands"],
    [["/"], "Filter the tables"],
    ...places.map((p): [string[], string] => [["g", p.key], p.label]),
    [["?"], "This help"],
  ];
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard" size="sm" closeButtonProps={{ "aria-label": "Close" }}>
      <Table verticalSpacing={6} withRowBorders={false} aria-label="Keyboard">
        <Table.Tbody>
          {keys.map(([combination, what]) => (
            <Table.Tr key={what}>
              <Table.Td w={96}>
                {combination.map((k) => (
                  <kbd key={k} style={{ marginRight: 4 }}>
                    {k}
                  </kbd>
                ))}
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" mt="md">
        {meta.data ? `Sparkwright ${meta.data.version} · code by ${meta.data.generator === "planner" ? "the built-in planner" : meta.data.generator} · ` : ""}
        <Anchor href="/api/v1/openapi.json" size="xs" underline="always">
          API
        </Anchor>
      </Text>
    </Modal>
  );
}
