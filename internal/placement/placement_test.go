package placement_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/placement"
)

const (
	standard  = "00fv6g7rptsov009"
	dedicated = "00g0oddl52n83r09"
	driver    = "s3://spark-data-123456789012-us-east-1/jars/postgresql-42.7.8.jar"
)

func all() placement.AWS {
	return placement.AWS{
		Application: standard, PostgresApplication: dedicated, Bucket: "data", Function: "sparkOnLambda", ThresholdMB: 100, Driver: driver,
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	pg := placement.Table{Name: "aurora.public.orders", Host: "db.example.com", Remote: true, Bytes: 5 * mb}
	home := placement.Table{Name: "shop.public.orders", Host: "127.0.0.1", Bytes: 5 * mb}
	homeRemote := placement.Table{Name: "shop.public.orders", Host: "localhost", Remote: true, Bytes: 5 * mb}
	far := placement.Table{Name: "aurora.public.orders", Host: "db.internal", Remote: true, Distant: true, Bytes: -1}
	glue := placement.Table{Name: "sales.clicks", Source: sparkwright.SourceGlue, Location: "s3://lake/clicks", Bytes: 99 * mb}
	big := placement.Table{Name: "sales.clicks", Source: sparkwright.SourceGlue, Location: "s3://lake/clicks", Bytes: 100 * mb}
	unknown := placement.Table{Name: "sales.view", Source: sparkwright.SourceGlue, Location: "s3://lake/v", Bytes: -1}
	upload := placement.Table{Name: "uploads.a", Source: sparkwright.SourceFiles, Location: "/data/a.csv"}
	list := func(t ...placement.Table) []placement.Table { return t }
	emr := func(app, driver, out string) sparkwright.Placement {
		return sparkwright.Placement{Executor: "emrserverless", Application: app, Driver: driver, OutputPath: out}
	}
	connect := sparkwright.Placement{Executor: "connect"}
	lambda := sparkwright.Placement{Executor: "lambda", Application: "sparkOnLambda", OutputPath: "s3://data/output/s1"}
	const out = "s3://data/output/s1"
	without := func(change func(*placement.AWS)) placement.AWS { a := all(); change(&a); return a }
	for _, tt := range []struct {
		name   string
		tables []placement.Table
		asked  string
		aws    placement.AWS
		output string
		want   sparkwright.Placement
		says   string // in the reason, or in the error
		fails  bool
	}{
		{name: "PostgreSQL", tables: list(pg), aws: all(), want: emr(dedicated, driver, out), says: "PostgreSQL tables: EMR Serverless application " + dedicated},
		{name: "PostgreSQL and Glue", tables: list(glue, pg), aws: all(), want: emr(dedicated, driver, out), says: "with others"},
		{name: "PostgreSQL never on Lambda", tables: list(pg), asked: "lambda", aws: all(), want: emr(dedicated, driver, out)},
		{name: "auto is no preference", tables: list(pg), asked: "auto", aws: all(), want: emr(dedicated, driver, out)},
		{name: "PostgreSQL with Lambda only", tables: list(pg), aws: placement.AWS{Function: "f", Bucket: "data"}, fails: true, says: "spark.emr_postgres_application_id is not set"},
		{name: "no PostgreSQL application", tables: list(pg), aws: without(func(a *placement.AWS) { a.PostgresApplication = "" }), fails: true, says: "spark.emr_postgres_application_id is not set"},
		{name: "no driver", tables: list(pg), aws: without(func(a *placement.AWS) { a.Driver = "" }), fails: true, says: "postgres.jdbc_driver_path is not set"},
		{name: "no bucket", tables: list(pg), aws: without(func(a *placement.AWS) { a.Bucket = "" }), fails: true, says: "spark.s3_bucket is not set"},
		{name: "own output path", tables: list(pg), aws: all(), output: "s3://mine/x/", want: emr(dedicated, driver, "s3://mine/x")},
		{name: "Glue, small", tables: list(glue), aws: all(), want: lambda, says: "below 100 MB: Lambda function sparkOnLambda; about 99 MB"},
		{name: "Glue at the threshold", tables: list(big), aws: all(), want: emr(standard, "", out), says: "not below 100 MB"},
		{name: "Glue of unknown size", tables: list(unknown), aws: all(), want: emr(standard, "", out), says: "of unknown size"},
		{name: "Glue, no function", tables: list(glue), aws: without(func(a *placement.AWS) { a.Function = "" }), want: emr(standard, "", out)},
		{name: "Glue, emr asked for", tables: list(glue), asked: "emr", aws: all(), want: emr(standard, "", out), says: "emr as asked for"},
		{name: "Glue, big, no application", tables: list(big), aws: without(func(a *placement.AWS) { a.Application = "" }), fails: true, says: "spark.emr_application_id is not set"},
		{name: "Glue, local asked for", tables: list(glue), asked: "local", aws: all(), want: connect, says: "local Spark (as asked for)"},
		{name: "PostgreSQL, local asked for", tables: list(pg), asked: "local", aws: all(), want: connect},
		{name: "batch asked for", tables: list(pg), asked: "batch", aws: all(), want: sparkwright.Placement{Executor: "batch"}, says: "spark-submit, as asked for"},
		{name: "nothing of AWS", tables: list(home), want: connect, says: "local Spark; about 5 MB"},
		{name: "a bucket alone is nothing", tables: list(home), aws: placement.AWS{Bucket: "b"}, want: connect},
		{name: "nothing of AWS, emr asked for", tables: list(home), asked: "emr", want: connect, says: "spark.emr_postgres_application_id is not set"},
		{name: "nothing of AWS, remote login, emr", tables: list(pg), asked: "emr", want: connect, says: "emr was asked for, but spark.emr_postgres_application_id is not set"},
		{name: "nothing of AWS, out of reach", tables: list(far), fails: true, says: "spark.emr_postgres_application_id is not set"},
		{name: "out of reach", tables: list(far), asked: "local", aws: all(), want: emr(dedicated, driver, out), says: "since this machine cannot reach the database of aurora.public.orders"},
		{name: "login on this machine", tables: list(home), aws: all(), want: connect, says: "the login of shop.public.orders is kept on this machine"},
		{name: "login on this machine, emr", tables: list(home), asked: "emr", aws: all(), fails: true, says: "cannot be carried out on EMR Serverless"},
		{name: "loopback", tables: list(homeRemote), aws: all(), want: connect, says: "is on this machine"},
		{name: "loopback, emr asked for", tables: list(homeRemote), asked: "emr", aws: all(), want: emr(dedicated, driver, out)},
		{name: "a local file", tables: list(upload), aws: all(), want: connect, says: "a file on this machine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := placement.Decide(placement.Input{
				Tables: tt.tables, Asked: tt.asked, AWS: tt.aws, OutputPath: tt.output, Session: "s1", Local: "local Spark",
			})
			if tt.fails {
				if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%+v, %v; want an error with %q", got, err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got.Reason, tt.says) {
				t.Errorf("reason %q; want %q in it", got.Reason, tt.says)
			}
			got.Reason, got.Bytes = "", 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	table := &sparkwright.Table{Bytes: 1000, Columns: []sparkwright.Column{
		{Name: "id", BaseType: "int8"},
		{Name: "note", BaseType: "text", Stats: &sparkwright.ColumnStats{AvgWidth: 92}},
	}}
	for _, tt := range []struct {
		name    string
		columns []string
		want    int64
	}{{"all", nil, 1000}, {"narrow", []string{"id"}, 80}, {"wide", []string{"note"}, 920}, {"none", []string{}, 0}} {
		if got := placement.Estimate(table, tt.columns); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := placement.Estimate(&sparkwright.Table{Bytes: -1}, nil); got != -1 {
		t.Errorf("unknown size: %d, want -1", got)
	}
}
