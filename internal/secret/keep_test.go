package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	keeper := secret.Files{Dir: dir}
	first, err := keeper.Keep(t.Context(), "shop", []byte(`{"username":"u","password":"`+hidden+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	second, err := keeper.Keep(t.Context(), "shop", []byte("other"))
	if err != nil || first == second {
		t.Fatalf("%s and %s, %v", first, second, err)
	}
	got, err := secret.Lookup(t.Context(), first)
	check(t, got, err, secret.Value{Credentials: sparkwright.Credentials{User: "u", Password: hidden}}, "", "")
	info, err := os.Stat(strings.TrimPrefix(first, "file:"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	if _, err = keeper.Keep(t.Context(), "../shop", []byte("x")); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("a name that leaves the directory: %v", err)
	}
	others := filepath.Join(dir, "shop")
	outside := filepath.Join(t.TempDir(), "shop-01234567.json")
	for _, path := range []string{others, outside} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, reference := range []string{first, first, "file:" + others, "file:" + outside, "env:PATH", ""} {
		if err := keeper.Forget(t.Context(), reference); err != nil {
			t.Errorf("%s: %v", reference, err)
		}
	}
	for _, path := range []string{others, outside, strings.TrimPrefix(second, "file:")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s is gone: %v", path, err)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(first, "file:")); !os.IsNotExist(err) {
		t.Errorf("the forgotten secret is still there: %v", err)
	}
}
