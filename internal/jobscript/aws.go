package jobscript

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// AWSConnection is how a job in AWS reaches one database. It holds no
// password: the job takes it from Secrets Manager, or makes an RDS IAM token.
type AWSConnection struct {
	Name      string
	URL       string // jdbc:postgresql://HOST:PORT/DATABASE?…, without credentials
	SecretARN string // "" only with IAM
	Region    string // of the secret, or of the database with IAM
	IAM       bool
	Host      string         // with IAM
	Port      int            // with IAM
	User      string         // with IAM; "" = the secret's
	Guard     readplan.Guard // what stays with Spark
	// Snapshot is the state that a session outside the job exports for it; without
	// an ID it says why there is none. With Modules the job holds one by itself,
	// this one where it still exists.
	Snapshot sparkwright.Snapshot
}

// AWSSpec is everything a script for EMR Serverless or Lambda is rendered from.
type AWSSpec struct {
	RunID       string
	AttemptID   string
	Location    string // s3:// URL where the result goes
	Analysis    string
	Driver      string // s3:// URL of the JDBC driver, for the reader; the job gets it by --jars
	Modules     string // s3:// URL of localruntime.Modules, which the job gets by --py-files; "" = it has none
	Connections []AWSConnection
	Reads       []readplan.Read
	PreviewRows int
}

type awsConnectionView struct {
	AWSConnection
	N       int
	Catalog string
	Init    string // what each connection runs first
	At      address
	Reads   []awsReadView
}

// address is where a JDBC URL leads.
type address struct {
	Host     string
	Port     int
	Database string
	TLS      string // its sslmode; "" = the driver's default
}

type awsReadView struct {
	readView
	Table string // quoted schema and name
}

type awsFileView struct {
	Name, View, Location, Format, DDL string
	GlueDatabase, GlueTable           string // "" = files only
	Options                           []awsOption
}

type awsOption struct{ Key, Value string }

type awsView struct {
	AWSSpec
	Connections         []awsConnectionView
	Given               string // the connections' snapshots, as JSON
	Files               []awsFileView
	Glue                bool
	TableLines          []string
	Begin, End          string
	FirstLine, LastLine int
	Bucket, Key         string
}

const readOnly = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"

// RenderAWS writes the script for EMR Serverless and Lambda. It keeps to Python
// 3.9, Spark 3.5 and boto3, which is what those images have. An analysis that
// holds one of the marker lines, and a location that is not an s3:// URL with
// a key, are refused with CodeInvalid.
func RenderAWS(spec AWSSpec) (string, error) {
	analysis, err := plainAnalysis(spec.Analysis)
	if err != nil {
		return "", err
	}
	rest, isS3 := strings.CutPrefix(spec.Location, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !isS3 || bucket == "" || strings.Trim(key, "/") == "" {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "a job in AWS writes its result to s3://BUCKET/KEY, not to %q", spec.Location)
	}
	spec.Analysis = analysis
	spec.Location = "s3://" + bucket + "/" + strings.Trim(key, "/")
	view := awsView{AWSSpec: spec, Begin: begin, End: end, Bucket: bucket, Key: strings.Trim(key, "/")}
	for i := range spec.Reads {
		r := &spec.Reads[i]
		view.TableLines = append(view.TableLines, tableLine+oneLine(r.Table.QualifiedName()))
		if fromFiles(&r.Table) {
			f := viewAWSFile(r)
			view.Glue = view.Glue || f.GlueTable != ""
			view.Files = append(view.Files, f)
		}
	}
	given := map[string]sparkwright.Snapshot{}
	for i, c := range spec.Connections {
		cv := awsConnectionView{AWSConnection: c, N: i, Catalog: CatalogName(c.Name), Init: readOnly}
		if id := c.Snapshot.ID; id != "" {
			cv.Init = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(id, "'", "''") + "'"
		}
		if cv.At, err = addressOf(c.URL); err != nil {
			return "", err
		}
		c.Snapshot.Connection = c.Name
		given[c.Name] = c.Snapshot
		for j := range spec.Reads {
			if r := spec.Reads[j]; r.Table.Connection == c.Name && !fromFiles(&r.Table) {
				v := awsReadView{readView: viewRead(cv.Catalog, readplan.ForSpark35(r)), Table: quote(r.Table.Schema) + "." + quote(r.Table.Name)}
				v.Filters = c.Guard.Filters
				cv.Reads = append(cv.Reads, v)
			}
		}
		view.Connections = append(view.Connections, cv)
	}
	text, err := json.Marshal(given)
	if err != nil {
		return "", fmt.Errorf("encode snapshots: %w", err)
	}
	view.Given = string(text)
	return execute(aws, &view.FirstLine, &view.LastLine, analysis, &view)
}

// addressOf takes a JDBC URL apart.
func addressOf(jdbc string) (address, error) {
	u, err := url.Parse(strings.TrimPrefix(jdbc, "jdbc:"))
	if err != nil || u.Scheme != "postgresql" || u.Hostname() == "" {
		return address{}, sparkwright.Errorf(sparkwright.CodeInvalid, "%q is not the JDBC URL of a PostgreSQL database", jdbc)
	}
	port := 5432
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil {
			return address{}, sparkwright.Errorf(sparkwright.CodeInvalid, "%q has no valid port", jdbc)
		}
	}
	return address{Host: u.Hostname(), Port: port, Database: strings.TrimPrefix(u.Path, "/"), TLS: u.Query().Get("sslmode")}, nil
}

func fromFiles(t *sparkwright.Table) bool {
	return t.Source == sparkwright.SourceGlue || t.Source == sparkwright.SourceFiles
}

func viewAWSFile(r *readplan.Read) awsFileView {
	v := awsFileView{Name: r.Table.QualifiedName(), View: r.View, Location: r.Table.Location, Format: r.Table.Format}
	if r.Table.Source == sparkwright.SourceGlue {
		v.GlueDatabase, v.GlueTable = r.Table.Database, r.Table.Name
	}
	var columns []string
	for _, c := range r.Columns { // all: CSV goes by position
		columns = append(columns, quote(c.Name)+" "+c.Type)
	}
	v.DDL = strings.Join(columns, ", ")
	for _, k := range slices.Sorted(maps.Keys(r.Table.Options)) {
		v.Options = append(v.Options, awsOption{k, r.Table.Options[k]})
	}
	return v
}

// glueName is how Spark names a table of the Glue catalog.
func glueName(database, table string) string { return quote(database) + "." + quote(table) }
