package glue_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/glue"
)

// catalog is a Glue that pages by one, and an S3 of one bucket.
func catalog(t *testing.T) *glue.Source {
	t.Helper()
	tables := []map[string]any{
		{
			"Name": "events", "DatabaseName": "lake", "TableType": "EXTERNAL_TABLE", "Parameters": map[string]string{"skip.header.line.count": "1"},
			"StorageDescriptor": map[string]any{
				"Location": "s3://lake/events", "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
				"SerdeInfo": map[string]any{"SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde", "Parameters": map[string]string{"separatorChar": ";", "quoteChar": `"`}},
				"Columns":   []map[string]string{{"Name": "id", "Type": "string"}},
			},
		},
		{
			"Name": "clicks", "DatabaseName": "lake", "TableType": "EXTERNAL_TABLE", "Description": "every click",
			"Parameters":    map[string]string{"recordCount": "7", "sizeKey": "4096"},
			"PartitionKeys": []map[string]string{{"Name": "day", "Type": "date"}},
			"StorageDescriptor": map[string]any{
				"Location": "s3://lake/clicks/", "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
				"Columns": []map[string]string{
					{"Name": "at", "Type": "timestamp"},
					{"Name": "price", "Type": "DECIMAL(10,2)", "Comment": "gross"},
					{"Name": "tags", "Type": "array<string>"},
					{"Name": "who", "Type": "struct<id:bigint>"},
				},
			},
		},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ NextToken, DatabaseName, Name string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		from := 0
		_, _ = fmt.Sscanf(in.NextToken, "%d", &from)
		page := func(key string, list []any) {
			out := map[string]any{key: list[from : from+1]}
			if from+1 < len(list) {
				out["NextToken"] = fmt.Sprint(from + 1)
			}
			_ = json.NewEncoder(w).Encode(out)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		switch target := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(target, ".GetDatabases"):
			page("DatabaseList", []any{map[string]any{"Name": "lake"}, map[string]any{"Name": "attic"}})
		case strings.HasSuffix(target, ".GetTables"):
			page("TableList", []any{tables[0], tables[1]})
		case strings.HasSuffix(target, ".GetPartitions"):
			page("Partitions", []any{
				map[string]any{"Values": []string{"2026-01-01"}, "StorageDescriptor": map[string]any{"Location": "s3://lake/clicks/day=2026-01-01"}},
				map[string]any{"Values": []string{"2026-01-02"}},
			})
		case strings.HasSuffix(target, ".GetTable"):
			for _, t := range tables {
				if t["Name"] == in.Name {
					_ = json.NewEncoder(w).Encode(map[string]any{"Table": t})
					return
				}
			}
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"EntityNotFoundException","message":"Table nope not found."}`)
		default:
			w.Header().Set("Content-Type", "application/xml")
			_, _ = fmt.Fprint(w, `<ListBucketResult><Contents><Key>events/a.csv</Key><Size>30</Size></Contents>`+
				`<Contents><Key>events/b.csv</Key><Size>12</Size></Contents><Contents><Key>events_old/c.csv</Key><Size>1000</Size></Contents></ListBucketResult>`)
		}
	}))
	t.Cleanup(srv.Close)
	return glue.New(aws.Config{Region: "us-east-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	got, err := catalog(t).Databases(t.Context())
	if diff := cmp.Diff([]string{"attic", "lake"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	s := catalog(t)
	got, err := s.Tables(t.Context(), "lake")
	if err != nil {
		t.Fatal(err)
	}
	want := []sparkwright.Table{
		{
			Source: "glue", Connection: "glue", Database: "lake", Schema: "lake", Name: "clicks", Kind: "partitioned_table", Comment: "every click",
			Location: "s3://lake/clicks/", Format: "parquet", RowEstimate: 7, Bytes: 4096, Readable: true,
			Columns: []sparkwright.Column{
				{Name: "at", Type: "timestamp", BaseType: "timestamp", Nullable: true},
				{Name: "price", Type: "decimal(10,2)", BaseType: "numeric", Nullable: true, Comment: "gross"},
				{Name: "tags", Type: "array<string>", BaseType: "_text", Nullable: true},
				{Name: "who", Type: "struct<id:bigint>", BaseType: "jsonb", Nullable: true},
				{Name: "day", Type: "date", BaseType: "date", Nullable: true, Comment: "partition key"},
			},
		},
		{
			Source: "glue", Connection: "glue", Database: "lake", Schema: "lake", Name: "events", Kind: "table", Location: "s3://lake/events",
			Format: "csv", Options: map[string]string{"header": "true", "mode": "FAILFAST", "sep": ";", "quote": `"`}, RowEstimate: -1, Bytes: -1, Readable: true,
			Columns: []sparkwright.Column{{Name: "id", Type: "string", BaseType: "text", Nullable: true}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// One table: its size comes from the objects below its location, and no others.
	one, err := s.Table(t.Context(), "lake", "events")
	if err != nil || one.Bytes != 42 {
		t.Errorf("%+v, %v; want 42 bytes", one, err)
	}
	if _, err = s.Table(t.Context(), "lake", "nope"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a table that is not there: %v", err)
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	s := catalog(t)
	for limit, want := range map[int]int{10: 2, 1: 1} {
		got, err := s.Partitions(t.Context(), "lake", "clicks", limit)
		if err != nil || len(got) != want || got[0].Values[0] != "2026-01-01" || got[0].Location != "s3://lake/clicks/day=2026-01-01" {
			t.Errorf("limit %d: %+v, %v", limit, got, err)
		}
	}
}
