package crosscheck_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
)

// What is asked while Spark is at work is judged as what is asked afterwards,
// and asked once where it fits.
func TestEarly(t *testing.T) {
	t.Parallel()
	good := []string{"3", "2", "9007199254741003.15", "12", "0.30000000000000004"}
	other := append([]sparkwright.ResultColumn(nil), manifest.Schema...)
	other[1].Type = "decimal(23,2)"
	for _, tt := range []struct {
		name   string
		cost   string
		schema []sparkwright.ResultColumn
		values []string
		state  sparkwright.CrosscheckState
		asked  int
	}{
		{"it fits", "10", manifest.Schema, good, sparkwright.CrosscheckVerified, 2},
		{"it fits and differs", "10", manifest.Schema, []string{"4", "2", "9007199254741003.15", "12", "0.3"}, sparkwright.CrosscheckMismatch, 2},
		{"not cheap enough beside Spark", "300000", manifest.Schema, good, sparkwright.CrosscheckVerified, 3},
		{"the schema was not known", "10", nil, good, sparkwright.CrosscheckVerified, 2},
		{"another schema than expected", "10", other, good, sparkwright.CrosscheckVerified, 4},
		{"too dear at all", "3000000", manifest.Schema, good, sparkwright.CrosscheckNotChecked, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ask, asked := postgres(tt.cost, nil, tt.values...)
			e := crosscheck.Begin(t.Context(), crosscheck.Translation{SQL: "SELECT q"}, tt.schema, ask, crosscheck.Limits{})
			got := e.Check(t.Context(), &manifest, ask, rows, crosscheck.Limits{})
			if got.State != tt.state || len(*asked) != tt.asked {
				t.Errorf("%+v, asked %d times:\n%s", got, len(*asked), strings.Join(*asked, "\n"))
			}
		})
	}
}

// A run that ends otherwise ends what PostgreSQL was asked.
func TestEarlyIsCancelled(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	e := crosscheck.Begin(t.Context(), crosscheck.Translation{SQL: "q"}, manifest.Schema,
		func(ctx context.Context, _ string, _ time.Duration) ([][]*string, error) {
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}, crosscheck.Limits{})
	e.Cancel()
	select {
	case <-ended:
	default:
		t.Error("PostgreSQL is still asked")
	}
}
