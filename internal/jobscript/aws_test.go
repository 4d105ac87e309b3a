package jobscript_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

const auroraARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-1f2e3d4c-AbCdEf"

// postgresSpec is a run over one Aurora table: what docs/emr-script.md explains.
func postgresSpec() jobscript.AWSSpec {
	catalog := &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Connection: "aurora", Database: "postgres", Schema: "public", Name: "order_details", View: "order_details",
		Columns: []sparkwright.Column{{Name: "product_id", BaseType: "int4"}, {Name: "quantity", BaseType: "int2"}},
	}}}
	return jobscript.AWSSpec{
		RunID: "r_1", AttemptID: "r_1-1", Location: "s3://spark-data-123456789012-us-east-1/output/s1/r_1/1",
		Driver:   "s3://spark-data-123456789012-us-east-1/jars/postgresql-42.7.8.jar",
		Modules:  "s3://spark-data-123456789012-us-east-1/scripts/0f1e2d3c.zip",
		Analysis: "result = spark.sql(\"SELECT product_id, sum(quantity) AS sold FROM order_details GROUP BY 1 ORDER BY 2 DESC LIMIT 10\")\n",
		Connections: []jobscript.AWSConnection{{
			Name: "aurora", URL: "jdbc:postgresql://aurora.cluster-x.us-east-1.rds.amazonaws.com:5432/postgres?ApplicationName=sparkwright%2Fr_1&sslmode=require",
			SecretARN: auroraARN, Region: "us-east-1",
			Snapshot: sparkwright.Snapshot{ID: "00000003-0000001B-1", LSN: "0/1949D90", Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)},
		}},
		Reads: readplan.Plan(catalog, nil, readplan.Options{Cores: 2}), PreviewRows: 100,
	}
}

// mixedSpec joins what can be joined: two connections, Glue and S3.
func mixedSpec() jobscript.AWSSpec {
	s := postgresSpec()
	tables := []sparkwright.Table{
		{
			Connection: "shop", Schema: "sales", Name: `od"d.t`, View: "od_d_t", Bytes: 1 << 30, PrimaryKey: []string{"id"},
			Columns: []sparkwright.Column{
				{Name: "id", BaseType: "int8", Stats: &sparkwright.ColumnStats{Histogram: []string{"1", "9"}}},
				{Name: "tz", BaseType: "timetz"},
			},
		},
		{
			Connection: "Other DB", Schema: "public", Name: "prices", View: "prices",
			Columns: []sparkwright.Column{{Name: "a", BaseType: "int4"}, {Name: "m", BaseType: "_money"}},
		},
	}
	s.Reads = readplan.Plan(&sparkwright.Catalog{Tables: tables}, nil, readplan.Options{Cores: 2})
	s.Reads = append(s.Reads,
		readplan.Read{
			View: "clicks", Columns: []readplan.SparkColumn{{Name: "at", Type: "timestamp"}, {Name: "day", Type: "string"}},
			Table: sparkwright.Table{
				Source: sparkwright.SourceGlue, Connection: "glue", Database: "lake", Schema: "lake", Name: "clicks", View: "clicks",
				Location: "s3://lake/clicks", Format: "parquet",
			},
		},
		readplan.Read{
			View: "rates", Columns: []readplan.SparkColumn{{Name: "c", Type: "string"}},
			Table: sparkwright.Table{
				Source: sparkwright.SourceFiles, Connection: "files", Schema: "s3", Name: "rates", View: "rates",
				Location: "s3://lake/rates.csv", Format: "csv", Options: map[string]string{"header": "true", "sep": ";"},
			},
		},
	)
	s.Modules = ""
	s.Connections = []jobscript.AWSConnection{
		{
			Name: "Other DB", URL: "jdbc:postgresql://db:5432/other?sslmode=require", IAM: true, Region: "eu-west-1",
			Host: "db", Port: 5432, User: "reporter",
			Snapshot: sparkwright.Snapshot{Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), None: "nobody holds one"},
		},
		{
			Name: "shop", URL: "jdbc:postgresql://shop:5432/shop", SecretARN: auroraARN, Region: "us-east-1", IAM: true,
			Host: "shop", Port: 5432, Snapshot: sparkwright.Snapshot{ID: "1-2-3", Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)},
		},
	}
	return s
}

func TestRenderAWSGolden(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]jobscript.AWSSpec{"aws_postgres": postgresSpec(), "aws_mixed": mixedSpec()} {
		got, err := jobscript.RenderAWS(spec)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", name+".py.golden"), got)
		python39(t, got)
		if a, ok := jobscript.Extract(got); !ok || a+"\n" != spec.Analysis {
			t.Errorf("%s: the analysis comes back as %q, %v", name, a, ok)
		}
	}
}

// What clients of the reference system look for in spark_code, and what must
// never be there.
func TestAWSScriptShape(t *testing.T) {
	t.Parallel()
	got, err := jobscript.RenderAWS(postgresSpec())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"jdbc:postgresql://aurora", `get_secret_value(SecretId="` + auroraARN + `")`, "spark.jars", "postgresql-42.7.8.jar",
		`"driver": "org.postgresql.Driver"`, "order_details", "spark.read", "secret[\"username\"]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the script lacks %s", want)
		}
	}
	for _, never := range []string{"createDataFrame", "sample_data", "os.environ.pop", "SPARKWRIGHT_PG", "enableHiveSupport"} {
		if strings.Contains(got, never) {
			t.Errorf("the script holds %s", never)
		}
	}
}

// The Spark 3.5 API is enough: names that only 4.x has do not occur.
func TestAWSScriptIsSpark35(t *testing.T) {
	t.Parallel()
	got, err := jobscript.RenderAWS(mixedSpec())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"addTag(", "variant", "lateralJoin", "toArrow(", "transpose(", "datasourceV2JoinPushdown", "pushDownJoin"} {
		if strings.Contains(got, name) {
			t.Errorf("the script uses %s", name)
		}
	}
}

func TestRenderAWSRefuses(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"", "/results/r_1/1", "s3://", "s3://bucket", "s3://bucket/", "s3a://bucket/x"} {
		s := postgresSpec()
		s.Location = location
		if _, err := jobscript.RenderAWS(s); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("location %q: %v", location, err)
		}
	}
}

// docs/emr-script.md holds the whole script, in order.
func TestAnnotatedScriptIsCurrent(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "emr-script.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := jobscript.RenderAWS(postgresSpec())
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, block := range regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		got.WriteString(block[1])
	}
	plain := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
	}
	if diff := cmp.Diff(plain(want), plain(got.String())); diff != "" {
		t.Errorf("docs/emr-script.md is old:\n%s", diff)
	}
}

// Spark 3.5 hands aggregates and first rows over unless it is told not to.
func TestAWSScriptHoldsBack(t *testing.T) {
	t.Parallel()
	spec := postgresSpec()
	spec.Connections[0].Guard = readplan.Guard{Aggregates: true, Limits: true, Why: []string{"a test"}}
	got, err := jobscript.RenderAWS(spec)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, `("Aggregate", "false"), ("Limit", "false"), ("Offset", "false")`) {
		t.Error("nothing keeps Spark from handing over what is held back")
	}
}

// Spark 3.5 drops a time's fraction of a second and refuses a negative scale:
// such tables are read by a query, in parallel and with what is held back as ever.
func TestTablesThatSpark35ReadsByQuery(t *testing.T) {
	t.Parallel()
	spec := postgresSpec()
	spec.Connections[0].Guard = readplan.Guard{Filters: true, Why: []string{"a test"}}
	for _, tt := range []struct {
		column sparkwright.Column
		query  string
	}{
		{sparkwright.Column{Name: "opens", Type: "time without time zone", BaseType: "time"}, `SELECT \"id\", DATE '1970-01-01' + \"opens\" AS \"opens\" FROM`},
		{sparkwright.Column{Name: "about", Type: "numeric(5,-2)", BaseType: "numeric"}, `SELECT \"id\" FROM`},
		{sparkwright.Column{Name: "price", Type: "numeric(5,2)", BaseType: "numeric"}, ""},
	} {
		table := sparkwright.Table{
			Connection: "aurora", Schema: "public", Name: "shops", View: "shops", Bytes: 1 << 30, PrimaryKey: []string{"id"}, Kind: sparkwright.KindTable,
			Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8", Stats: &sparkwright.ColumnStats{Histogram: []string{"1", "500", "1000"}}}, tt.column},
		}
		spec.Reads = readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{table}}, nil, readplan.Options{Cores: 2})
		script, err := jobscript.RenderAWS(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, views, _ := strings.Cut(script, "def _views_0(")
		byQuery := strings.Contains(views, `pushDownPredicate="false", partitionColumn="id",`) && strings.Contains(views, "dbtable=\"("+tt.query)
		if byQuery != (tt.query != "") || strings.Count(views, "numPartitions") != 1 {
			t.Errorf("%s:\n%s", tt.column.Type, views)
		}
	}
}
