package broker_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright/internal/broker"
)

// rounds is how often the state is read: SPARKWRIGHT_SOAK_ROUNDS in the soak.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("SPARKWRIGHT_SOAK_ROUNDS"))
	if err != nil {
		return 40
	}
	return n
}

// Writers move amounts between two tables all the time; their total never
// changes. A run that reads the tables over several connections always sees
// that total; the same reads without the snapshot do not.
func TestConsistentUnderWriters(t *testing.T) {
	t.Parallel()
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background()) //nolint:errcheck // nothing is lost
	if _, err = owner.Exec(t.Context(), `DROP TABLE IF EXISTS left_side, right_side;
		CREATE TABLE left_side AS SELECT i AS id, 1000::bigint AS amount FROM generate_series(1, 200) i;
		CREATE TABLE right_side AS SELECT * FROM left_side`); err != nil {
		t.Fatal(err)
	}
	const total = 2 * 200 * 1000
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() { move(ctx, t, cfg, w) })
	}
	defer writers.Wait()
	defer stop()

	torn := 0
	for i := range rounds(t) {
		b := setup(t, broker.Limits{})
		sum := int64(0)
		for part := range 4 { // each partition is a connection of its own, as in Spark
			side, half := "left_side", part%2
			if part >= 2 {
				side = "right_side"
			}
			conn := b.client(t, "")
			sum += value[int64](t, conn, fmt.Sprintf("SELECT coalesce(sum(amount), 0)::bigint FROM %s WHERE id %% 2 = %d", side, half))
			_ = conn.Close(t.Context())
		}
		if sum != total {
			t.Errorf("run %d read a total of %d, it is always %d", i, sum, total)
		}
		if _, err = b.b.End(t.Context(), b.runID); err != nil {
			t.Fatal(err)
		}
		_ = b.owner.Close(t.Context())
		plain := value[int64](t, owner, "SELECT sum(amount)::bigint FROM left_side") + value[int64](t, owner, "SELECT sum(amount)::bigint FROM right_side")
		if plain != total {
			torn++
		}
	}
	for more := 0; torn == 0 && more < 2000; more++ { // on a slow machine the writers need their turn
		if value[int64](t, owner, "SELECT sum(amount)::bigint FROM left_side")+value[int64](t, owner, "SELECT sum(amount)::bigint FROM right_side") != total {
			torn++
		}
	}
	if torn == 0 {
		t.Error("the reads without a snapshot never tore: the test shows nothing")
	}
}

func move(ctx context.Context, t *testing.T, cfg *pgx.ConnConfig, seed int) {
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background()) //nolint:errcheck // nothing is lost
	for i := seed; ctx.Err() == nil; i++ {
		id := i*7%200 + 1
		_, err = conn.Exec(context.Background(), fmt.Sprintf(`BEGIN; UPDATE left_side SET amount = amount - 1 WHERE id = %d; UPDATE right_side SET amount = amount + 1 WHERE id = %d; COMMIT`, id, id), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Error(err)
			return
		}
	}
}
