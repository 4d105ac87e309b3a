package emrserverless

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// ResultRunner carries out attempts without Spark: it reads the script's own
// RUN_ID, ATTEMPT_ID and LOCATION and leaves there what the script would: a
// Parquet file of one row and the manifest. It is for tests that need many jobs
// and care only for how they are started, found again and ended.
type ResultRunner struct {
	Takes time.Duration // how long a job runs
	Code  int           // exit code; other than 0 = no result
	// Without leaves the result out, although the job succeeds.
	Without bool
}

var _ Runner = ResultRunner{}

// Run implements Runner.
func (r ResultRunner) Run(ctx context.Context, t Task) Exit {
	if !sleep(ctx, r.Takes) {
		return Exit{Err: context.Cause(ctx)}
	}
	_, _ = fmt.Fprintf(t.Stdout, "job %s of %s\n", t.JobRun, t.Name)
	if r.Code != 0 {
		_, _ = fmt.Fprintln(t.Stderr, "java.lang.IllegalStateException: the job was told to fail")
	}
	if r.Code != 0 || r.Without || t.Fetch == nil {
		return Exit{Code: r.Code}
	}
	if err := writeResult(ctx, t); err != nil {
		return Exit{Err: err}
	}
	return Exit{}
}

var constant = regexp.MustCompile(`(?m)^(RUN_ID|ATTEMPT_ID|LOCATION) = (".*")$`)

func writeResult(ctx context.Context, t Task) error {
	script, err := t.Fetch(ctx, t.EntryPoint)
	if err != nil {
		return err
	}
	said := map[string]string{}
	for _, m := range constant.FindAllSubmatch(script, -1) {
		var value string
		if err = json.Unmarshal(m[2], &value); err != nil {
			return fmt.Errorf("read the script's %s: %w", m[1], err)
		}
		said[string(m[1])] = value
	}
	location := strings.TrimSuffix(said["LOCATION"], "/")
	if said["RUN_ID"] == "" || said["ATTEMPT_ID"] == "" || location == "" {
		return errors.New("the script does not say RUN_ID, ATTEMPT_ID and LOCATION")
	}
	data, err := oneRow()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	etag, err := t.Put(ctx, location+"/data/part-00000.parquet", data)
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"version": 1, "run_id": said["RUN_ID"], "attempt_id": said["ATTEMPT_ID"], "location": location,
		"schema": []map[string]string{{"name": "n", "type": "bigint"}}, "row_count": 1, "truncated": false, "spark": "none",
		"parts":   []map[string]any{{"path": "data/part-00000.parquet", "rows": 1, "bytes": len(data), "sha256": hex.EncodeToString(sum[:]), "etag": etag}},
		"preview": [][]int{{1}},
	})
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	_, err = t.Put(ctx, location+"/manifest.json", manifest)
	return err
}

// oneRow is a Parquet file with the column n and the row 1.
func oneRow() ([]byte, error) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).Append(1) //nolint:forcetypeassert // the schema's
	record := b.NewRecordBatch()
	defer record.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write a Parquet file: %w", err)
	}
	return out.Bytes(), nil
}
