package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// holding is the part of a job's script that holds a state, without Spark.
const holding = `
import datetime, json, sys
script, login, port, tls = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
text = open(script).read()
RUN_ID = "r-hold"
exec(text[text.index("_snapshots = json.loads("):text.index("# Connection aurora")])
try:
    begins = _one_state("aurora", login, "127.0.0.1", port, "shop", tls)
    print(json.dumps({"begins": begins, "snapshot": _snapshots["aurora"], "held": list(_held), "password": str(getattr(_held.get("aurora"), "password", None))}))
except Exception as refused:
    print(json.dumps({"raised": str(refused)}))
`

type holds struct {
	Begins   string
	Snapshot sparkwright.Snapshot
	Held     []string
	Password string
	Raised   string
}

// What a job does where it can hold a state, and where it cannot: it goes on,
// and says why; only a login that is refused is an error, so that it is fetched
// once more.
func TestJobHoldsOneState(t *testing.T) { //nolint:paralleltest // it shares PostgreSQL with jobs
	l := sparkLab(t)
	archive, err := localruntime.Modules(t.Context(), install(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := localruntime.Modules(t.Context(), install(t))
	if err != nil || string(again) != string(archive) {
		t.Errorf("the archive differs from one time to the other, %v", err)
	}
	dir := t.TempDir()
	modules := filepath.Join(dir, "modules.zip")
	if err = os.WriteFile(modules, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	hold := func(t *testing.T, path string, given sparkwright.Snapshot, secret string, port int, tls string) holds {
		t.Helper()
		spec := postgresSpec(l, "r-hold")
		spec.RunID, spec.AttemptID, spec.Location, spec.Analysis, spec.Modules = "r-hold", "r-hold-1", "s3://b/k", "result = None", "s3://b/m.zip"
		spec.Connections[0].Snapshot = given
		script, err := jobscript.RenderAWS(spec)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "script.py")
		if err = os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		login, _ := json.Marshal(map[string]string{"user": reader, "password": secret})
		cmd := exec.CommandContext(t.Context(), l.AWS.Python(), "-c", holding, file, string(login), fmt.Sprint(port), tls)
		cmd.Env = []string{"PYTHONPATH=" + path}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var got holds
		decode(t, string(out), &got)
		return got
	}
	port := shared.pg.Connection().Port
	none := sparkwright.Snapshot{Time: time.Now(), None: "not reached"}
	gone := sparkwright.Snapshot{ID: "00000003-0000001B-1", LSN: "0/0", Time: time.Unix(0, 0)}
	for _, tt := range []struct {
		name   string
		path   string
		given  sparkwright.Snapshot
		secret string
		port   int
		tls    string
		why    string // in what it says or raises; "" = it holds one of its own
	}{
		{"its own", modules, none, password, port, "disable", ""},
		{"the given one is gone", modules, gone, password, port, "disable", ""},
		{"TLS when there is", modules, none, password, port, "", ""},
		{"a wrong password", modules, none, "wrong", port, "disable", "password authentication failed"},
		{"TLS is required and there is none", modules, none, password, port, "require", "refuses SSL"},
		{"nothing is there", modules, none, password, 1, "disable", "create a connection to host 127.0.0.1"},
		{"no modules", dir, none, password, port, "disable", "No module named 'pg8000'"},
	} {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // it shares PostgreSQL with jobs
			got := hold(t, tt.path, tt.given, tt.secret, tt.port, tt.tls)
			s := got.Snapshot
			if tt.why != "" {
				readOnly := got.Begins == "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY" && s.ID == "" && len(got.Held) == 0
				if !strings.Contains(s.None+got.Raised, tt.why) || got.Raised == "" && !readOnly || (got.Raised != "") != (tt.secret != password) {
					t.Errorf("%+v", got)
				}
				return
			}
			if s.ID == "" || s.ID == gone.ID || s.LSN == "" || s.None != "" || time.Since(s.Time).Abs() > time.Minute || got.Password != "None" ||
				got.Begins != "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '"+s.ID+"'" || len(got.Held) != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
	// Where the job cannot take it over, its reads adopt what is given.
	got := hold(t, dir, gone, password, port, "disable")
	if got.Snapshot.ID != gone.ID || !strings.HasSuffix(got.Begins, "SNAPSHOT '"+gone.ID+"'") {
		t.Errorf("without modules: %+v", got)
	}
}
