package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	t.Parallel()
	newDatabase(t, "names", `
		CREATE SCHEMA sales; CREATE SCHEMA "Of Others"; CREATE SCHEMA empty;
		CREATE TABLE sales.t (id int); CREATE ROLE names_reader LOGIN PASSWORD 'x';
		GRANT USAGE ON SCHEMA sales, empty TO names_reader`)
	c, cred := owner(t, "names")
	src := open(t, c, cred)
	version, err := src.Version(t.Context())
	if err != nil || !strings.HasPrefix(version, "PostgreSQL ") {
		t.Errorf("version %q, %v", version, err)
	}
	databases, err := src.Databases(t.Context())
	if err != nil || !slices.Contains(databases, "names") || slices.Contains(databases, "template0") || !slices.IsSorted(databases) {
		t.Errorf("databases %v, %v", databases, err)
	}
	schemas, err := src.Schemas(t.Context())
	if diff := cmp.Diff([]string{"Of Others", "empty", "public", "sales"}, schemas); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	c.User, cred.User, cred.Password = "names_reader", "names_reader", "x"
	schemas, err = open(t, c, cred).Schemas(t.Context())
	if diff := cmp.Diff([]string{"empty", "public", "sales"}, schemas); diff != "" || err != nil {
		t.Errorf("what the reader may use: %v %s", err, diff)
	}
}
