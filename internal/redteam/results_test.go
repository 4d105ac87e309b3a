package redteam_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/result"
)

// pickled makes the file of that name when Python's pickle loads it.
func pickled(mark string) []byte {
	return []byte("cbuiltins\nopen\n(S'" + mark + "'\nS'w'\ntR.")
}

// parquetOf is a file of one column whose metadata is in the words of Spark and
// of pandas. Each of them would load a pickle.
func parquetOf(t *testing.T, pickle []byte, values ...string) []byte {
	t.Helper()
	class := `{"type":"udt","pyClass":"__main__.Evil","serializedClass":"` + base64.StdEncoding.EncodeToString(pickle) + `","sqlType":"string"}`
	meta := arrow.NewMetadata([]string{"org.apache.spark.version", "org.apache.spark.sql.parquet.row.metadata", "pandas"}, []string{
		"4.0.0", `{"type":"struct","fields":[{"name":"a","type":` + class + `,"nullable":true,"metadata":{}}]}`,
		`{"index_columns":[],"columns":[{"name":"a","pandas_type":"object","numpy_type":"object","metadata":` + class + `}]}`,
	})
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}}, &meta)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues(values, nil)
	rec := b.NewRecordBatch()
	defer rec.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(rec)
	}
	for k, v := range meta.Keys() {
		if err == nil {
			err = w.AppendKeyValueMetadata(v, meta.Values()[k])
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// left is the directory of a job that has written these files, with a manifest
// that vouches for the part.
func left(t *testing.T, part []byte, change func(m *sparkwright.Manifest, dir string)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "r_evil", "1")
	sum := sha256.Sum256(part)
	m := &sparkwright.Manifest{
		Version: 1, RunID: "r_evil", AttemptID: "r_evil-1", Location: dir, RowCount: 1, Schema: []sparkwright.ResultColumn{{Name: "a", Type: "string"}},
		Parts:   []sparkwright.Part{{Path: "data/part-0.parquet", Rows: 1, Bytes: int64(len(part)), SHA256: hex.EncodeToString(sum[:])}},
		Preview: [][]json.RawMessage{{json.RawMessage(`"x"`)}},
	}
	if change != nil {
		change(m, dir)
	}
	text, err := json.Marshal(m)
	for path, content := range map[string][]byte{"data/part-0.parquet": part, "manifest.json": text} {
		if err == nil {
			err = artifact.WriteFile(filepath.Join(dir, path), content)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// read is everything that the server does with a result.
func read(t *testing.T, dir string) (shown string, err error) {
	t.Helper()
	m, err := artifact.Load(dir, "r_evil", "r_evil-1")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = artifact.Rows(t.Context(), m, func(cells []json.RawMessage) error {
		_, _ = fmt.Fprintf(&out, "%s\n", cells)
		return nil
	})
	if err != nil {
		return out.String(), err
	}
	rd := result.New(result.Config{CacheDir: t.TempDir()})
	if err = rd.CSV(t.Context(), m, &out, true); err == nil {
		err = rd.Parquet(t.Context(), m, &out)
	}
	return out.String(), err
}

// What a job leaves as its result is data: nothing of it is carried out, and
// nothing but its own directory is read.
func TestResults(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "unpickled")
	pickle := pickled(mark)
	other := left(t, parquetOf(t, nil, canary), nil) // of another run: its part has the name that every part has
	for name, build := range map[string]func() string{
		"a pickle as a part": func() string { return left(t, pickle, nil) },
		"a pickle in a part": func() string { return left(t, append([]byte("PAR1"), append(pickle, "PAR1"...)...), nil) },
		"a part of nothing":  func() string { return left(t, nil, nil) },
		"the end of a part":  func() string { return left(t, []byte("PAR1\xff\xff\xff\x7fPAR1"), nil) },
		"half a part":        func() string { p := parquetOf(t, pickle, "x"); return left(t, p[len(p)/2:], nil) },
		"the place of another": func() string {
			return left(t, parquetOf(t, nil, "x"), func(m *sparkwright.Manifest, _ string) { m.Location = other })
		},
		"the place of another's": func() string {
			return left(t, parquetOf(t, nil, "x"), func(m *sparkwright.Manifest, d string) { m.Location = d + "/../../" + filepath.Base(other) })
		},
		"the part of another": func() string {
			return left(t, parquetOf(t, nil, "x"), func(m *sparkwright.Manifest, _ string) { m.Parts[0].Path = filepath.Join(other, "data/part-0.parquet") })
		},
		"a link to another": func() string {
			dir := left(t, parquetOf(t, nil, canary), nil)
			if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(other, "data"), filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"a pickle as manifest": func() string {
			dir := left(t, parquetOf(t, nil, "x"), nil)
			if err := os.WriteFile(filepath.Join(dir, "manifest.json"), pickle, 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		},
	} {
		dir := build()
		if shown, err := read(t, dir); err == nil || strings.Contains(shown, canary) {
			t.Errorf("%s is taken: %v: %.100q", name, err, shown)
		}
		if err := os.WriteFile(filepath.Join(dir, "fault.json"), pickle, 0o600); err != nil {
			t.Fatal(err)
		}
		if f := artifact.LoadFault(dir); f != nil {
			t.Errorf("%s: a pickle is the fault %+v", name, f)
		}
	}
	// Pickles in the metadata of a good file are data too.
	shown, err := read(t, left(t, parquetOf(t, pickle, "x"), nil))
	if err != nil || !strings.HasPrefix(shown, "[\"x\"]\na\nx\n") {
		t.Errorf("%v: %.100q", err, shown)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a pickle was loaded")
	}
}
