import { ActionIcon, Badge, Button, Group, Modal, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconDatabase, IconPencil, IconPlugConnected, IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { removeConnection, testConnection, type Connection } from "@/api/desk";
import { connectionsQuery } from "@/api/queries";
import { ListWaiting, Page, pageClasses } from "@/shell/Page";
import { ProblemNote } from "@/shell/ProblemNote";

import classes from "./Connections.module.css";
import { ConnectionForm } from "./ConnectionForm";
import { Saw } from "./Saw";

const ways: Record<string, string> = { user_password: "password", secrets_manager: "AWS Secrets Manager", iam: "RDS IAM token" };

/** The databases that can be asked: added, tested, edited, removed. Passwords are taken and never shown. */
export function ConnectionsPage() {
  const connections = useQuery(connectionsQuery);
  const [editing, setEditing] = useState<Connection | "new" | null>(null);
  const list = connections.data ?? [];
  return (
    <Page
      title="Connections"
      lead="PostgreSQL databases that can be asked. Use a login that can only read: nothing here ever writes."
      actions={
        <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setEditing("new")}>
          Add a connection
        </Button>
      }
    >
      {connections.isPending && <ListWaiting rows={3} height={84} />}
      {connections.isError && !connections.data && <ProblemNote error={connections.error} onRetry={() => void connections.refetch()} />}
      {connections.data && list.length === 0 && (
        <div className={`${pageClasses.card} ${pageClasses.empty}`}>There is no connection yet.</div>
      )}
      <div className={classes.list}>
        {list.map((c) => (
          <One key={c.name} connection={c} onEdit={() => setEditing(c)} />
        ))}
      </div>
      <Modal
        opened={editing !== null}
        onClose={() => setEditing(null)}
        title={editing === "new" || editing === null ? "Add a connection" : `Edit ${editing.name}`}
        size="lg"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {editing !== null && (
          <ConnectionForm existing={editing === "new" ? null : editing} taken={list.map((c) => c.name)} onSaved={() => setEditing(null)} onCancel={() => setEditing(null)} />
        )}
      </Modal>
    </Page>
  );
}

function One({ connection: c, onEdit }: { connection: Connection; onEdit: () => void }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const test = useMutation({ mutationFn: () => testConnection(c.name) });
  const remove = useMutation({
    mutationFn: () => removeConnection(c.name),
    onSuccess: async () => {
      setAsking(false);
      notifications.show({ message: `The connection ${c.name} is removed.` });
      await queries.invalidateQueries({ queryKey: ["connections"] });
    },
  });
  return (
    <section className={`${pageClasses.card} ${classes.one}`} aria-label={c.name}>
      <div className={classes.head}>
        <IconDatabase size={18} stroke={1.75} aria-hidden />
        <div className={classes.what}>
          <h2 dir="auto">{c.name}</h2>
          <div className={classes.facts}>
            {c.demo ? (
              <span>{c.description}</span>
            ) : (
              <>
                <span className="mono">{c.host ? `${c.host}:${c.port ?? 5432}/${c.database ?? ""}` : (c.database ?? "")}</span>
                {c.user && <span>as {c.user}</span>}
                <span>by {ways[c.auth_method ?? "user_password"] ?? c.auth_method}</span>
                <span>{c.tls ? `TLS ${c.tls}` : "TLS as the host needs it"}</span>
              </>
            )}
          </div>
        </div>
        {c.demo && <Badge variant="light" color="gray" tt="none">demo data</Badge>}
        {!c.enabled && <Badge variant="light" color="gray" tt="none">not in lists</Badge>}
        <Group gap={4} wrap="nowrap">
          <Button variant="default" size="compact-md" leftSection={<IconPlugConnected size={16} aria-hidden />} loading={test.isPending} onClick={() => test.mutate()} aria-label={`Test ${c.name}`}>
            Test
          </Button>
          {!c.demo && (
            <>
              <Tooltip label="Edit">
                <ActionIcon size="lg" aria-label={`Edit ${c.name}`} onClick={onEdit}><IconPencil size={17} stroke={1.75} /></ActionIcon>
              </Tooltip>
              <Tooltip label="Remove">
                <ActionIcon size="lg" aria-label={`Remove ${c.name}`} onClick={() => setAsking(true)}><IconTrash size={17} stroke={1.75} /></ActionIcon>
              </Tooltip>
            </>
          )}
        </Group>
      </div>
      <div aria-live="polite">
        {test.data && <div className={classes.saw}><Saw test={test.data} /></div>}
        {test.isError && <div className={classes.saw}><ProblemNote error={test.error} /></div>}
      </div>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Remove ${c.name}?`} closeButtonProps={{ "aria-label": "Close" }}>
        <Text size="sm">The connection and the password kept for it are removed. The database itself is left alone; runs about it stay in the history.</Text>
        {remove.isError && <ProblemNote error={remove.error} />}
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={() => setAsking(false)}>Keep it</Button>
          <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>Remove</Button>
        </Group>
      </Modal>
    </section>
  );
}
