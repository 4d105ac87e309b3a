package redteam_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a wall outside of the sandbox, and how it is left out: old, which is
// once in the file, becomes new. Then a test has to fail. The walls of the
// sandbox are left out by TestWalls.
type mutant struct{ wall, file, old, new, pkg, test string }

const (
	guardGo    = "internal/server/guard.go"
	everyRoute = "TestGuardOfEveryRoute$"
)

func mutants() []mutant {
	off := func(condition string) string {
		return "if false && (" + strings.TrimSuffix(strings.TrimPrefix(condition, "if "), " {") + ") {"
	}
	at := func(wall, file, condition, pkg, test string) mutant {
		return mutant{wall, file, condition, off(condition), pkg, test}
	}
	return []mutant{
		at("Host header", guardGo, "if !hosts[host] {", "internal/server", everyRoute),
		at("requests of other sites", guardGo, "if s.foreign(r) {", "internal/server", everyRoute),
		at("rates", guardGo, "if !rates.allow(who, known, r.RemoteAddr) {", "internal/server", "TestRateOfEveryRoute$"),
		at("login", guardGo, "if !known && need != access.Nobody {", "internal/server", everyRoute),
		at("roles", guardGo, "if !who.Role.Allows(need) {", "internal/server", everyRoute),
		at("a cookie alone", guardGo, "if who.Way == access.Cookie && !safeMethod(r.Method) && !fromPage(r) {", "internal/server", everyRoute),
		at("JSON only", guardGo, "if !jsonBody(r) {", "internal/server", everyRoute),
		at("size of requests", guardGo, "if r.ContentLength > limit {", "internal/server", everyRoute),
		{"audit", guardGo, "if err := s.cfg.Audit.Record(ctx, e); err != nil {", "if err := error(nil); err != nil {", "internal/server", "TestAudit$"},
		{"headers of replies", guardGo, `h.Set("X-Frame-Options", "DENY")`, "", "internal/server", everyRoute},
		{"token", "internal/auth/auth.go", "if ok && a.cfg.Tokens.Right(strings.TrimSpace(token)) {", "if ok || a.cfg.Tokens.Right(strings.TrimSpace(token)) {", "internal/auth", "TestToken$"},
		{"metadata addresses", "internal/netguard/netguard.go", "case metadata(a):", "case false:", "internal/netguard", "TestPolicies$"},
		{"private addresses", "internal/netguard/netguard.go", "if a.IsPrivate() {", "if false {", "internal/netguard", "TestPolicies$"},
		{"the checked address is dialled", "internal/netguard/netguard.go", "net.JoinHostPort(a.Unmap().String(), port)", "func() string { _, _ = a, port; return address }()", "internal/netguard", "TestRebinding$"},
		{"redirects", "internal/netguard/netguard.go", "CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },", "", "internal/netguard", "TestClient$"},
		{"judge of statements", "internal/broker/guard.go", "if err := sqlguard.Check(sql, g.rules); err != nil {", "if err := sqlguard.Check(sql, g.rules); err == nil && err != nil {", "internal/redteam", "TestWire$"},
		at("one statement", "internal/sqlguard/sqlguard.go", "if len(statements) != 1 {", "internal/sqlguard", "TestCheck$"),
		{"read-only transaction", "internal/broker/control.go", "\tsql := \"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY\"", "\tsql := \"BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE\"", "internal/redteam", "TestWire$"},
		{"login of the broker", "internal/broker/client.go", `[]byte(c.s.password+"\x00"+dummyUser)) != 1 {`, `[]byte(c.s.password+"\x00"+dummyUser)) > 1 {`, "internal/redteam", "TestWire$"},
		{"tables of the run", "internal/sqlguard/sqlguard.go", `return fmt.Errorf("%s.%s is not a table of the run", schema, name)`, "return nil", "internal/sqlguard", "TestCheck$"},
		at("place of a result", "internal/artifact/artifact.go", "if m.Location != \"\" && filepath.Clean(m.Location) != filepath.Clean(location) {", "internal/artifact", "TestLoadRefuses$"),
		at("checksum of a result", "internal/artifact/artifact.go", "if n != p.Bytes || hex.EncodeToString(h.Sum(nil)) != p.SHA256 {", "internal/artifact", "TestLoadRefuses$"),
		{"what a page unpacks to", "internal/artifact/bounded.go", "zstd.WithDecodeAllCapLimit(true)", "zstd.WithDecodeAllCapLimit(false)", "internal/artifact", "TestForgedPages$"},
		{"memory of a result", "internal/artifact/bounded.go", "> maxBatch {", "> maxBatch && false {", "internal/artifact", "TestForgedPages$"},
		{"links in a result", "internal/artifact/artifact.go", "f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)", "f, err := os.OpenFile(filepath.Join(location, name), os.O_RDONLY|syscall.O_NONBLOCK, 0)", "internal/artifact", "TestLoadRefuses$"},
		{"passwords in what jobs print", "internal/redact/redact.go", "return s.replacer.Replace(text)", "return text", "internal/redact", "TestForms$"},
		{"passwords in pieces", "internal/redact/redact.go", "keep := s.secrets.beginning(text)", "keep := 0", "internal/redact", "TestSplit$"},
		{"sealed passwords", "internal/secret/seal.go", "whole := box.Seal(nonce, nonce, content, extra(path))", "whole := append(append(nonce, content...), extra(path)...)", "internal/secret", "TestSealed$"},
		{"a sealed password is of its place", "internal/secret/seal.go", "whole := box.Seal(nonce, nonce, content, extra(path))", "whole := box.Seal(nonce, nonce, content, nil)", "internal/secret", "TestSealed$"},
		{"a job says that it was cancelled", "internal/executor/lambda/poll.go", `d.Token != "" && string(text) == d.Token`, "len(text) >= 0", "internal/executor/lambda", "TestOutcomes$"},
		{"whose it is", "internal/access/access.go", "|| id.User == user", "|| id.User == user || true", "cmd/sparkwright", "TestEveryRouteOfTwoUsers$"},
		{"terminal", "cmd/sparkwright/output.go", "if r < 0x20 || steering(r) {", "if r < 0 {", "cmd/sparkwright", "TestNothingSteersTheTerminal$"},
		{"the log", "cmd/sparkwright/api.go", "slog.NewJSONHandler(plainJSON{a.stderr},", "slog.NewJSONHandler(a.stderr,", "cmd/sparkwright", "TestNothingIsForged$"},
		{"formulas in CSV", "internal/result/files.go", "text = \"'\" + text", "_ = text", "internal/result", "TestCSV$"},
		{"approval of other code", "internal/supervisor/runs.go", "if d.CodeHash != codeHash(run.Analysis) {", "if d.CodeHash = codeHash(run.Analysis); false {", "internal/supervisor", "TestApproval$"},
	}
}

// TestMutants leaves each wall out, alone, in a copy that only the compiler sees.
// It compiles a good part of the program anew for each: SPARKWRIGHT_MUTANTS=1, or
// make mutants. What always runs is that each can still be left out.
func TestMutants(t *testing.T) { //nolint:paralleltest // the compiler takes every core
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants() {
		t.Run(m.wall, func(t *testing.T) { //nolint:paralleltest // the compiler takes every core
			path := filepath.Join(root, m.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), m.old); n != 1 {
				t.Fatalf("%s has %d places like %q", m.file, n, m.old)
			}
			changed := strings.Replace(string(text), m.old, m.new, 1)
			if _, err = parser.ParseFile(token.NewFileSet(), path, changed, 0); err != nil {
				t.Fatal(err)
			}
			if os.Getenv("SPARKWRIGHT_MUTANTS") == "" {
				return
			}
			m.dies(t, root, changed)
		})
	}
}

// dies wants the wall's test to fail, and not for another reason.
func (m mutant) dies(t *testing.T, root, changed string) {
	t.Helper()
	dir := t.TempDir()
	copied, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): copied}})
	if err == nil {
		err = os.WriteFile(copied, []byte(changed), 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-timeout=5m", "-overlay", overlay, "-run", m.test, "./"+m.pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("without it %s of %s passes:\n%s", m.test, m.pkg, out)
	case !strings.Contains(string(out), "--- FAIL: "):
		t.Errorf("it could not be tried:\n%s", out)
	}
}
