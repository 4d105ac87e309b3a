import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "@tanstack/react-router";

export function NotFound() {
  return (
    <Stack align="center" gap="xs" pt={96} px="md">
      <Title order={1}>There is nothing at this address</Title>
      <Text c="dimmed">It may be the address of a run that was deleted.</Text>
      <Anchor component={Link} to="/ask" underline="always">
        Ask a question
      </Anchor>
    </Stack>
  );
}
