// Package placement decides where a run is carried out, and says why. It is a
// pure function of the tables, the request and the settings.
//
//	PostgreSQL tables, alone or with others   the PostgreSQL application, with the JDBC driver
//	Glue tables and S3 only                   Lambda below the threshold, else the standard application
//	nothing of AWS configured or asked for    this machine's Spark
//
// The platforms "lambda" and "auto" of the reference contract are its
// defaults, and no preference. Any other is honoured where it is possible; the
// reason says so where it is not. PostgreSQL never runs on Lambda: a function
// is not in the database's VPC.
package placement

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// The executors by the names that placements and handles have.
const (
	Connect = "connect"
	Batch   = "batch"
	EMR     = "emrserverless"
	Lambda  = "lambda"
)

// AWS is what of the settings decides. The fields are those of
// settings.Spark and settings.Postgres.
type AWS struct {
	Application         string // spark.emr_application_id
	PostgresApplication string // spark.emr_postgres_application_id
	Bucket              string // spark.s3_bucket
	Function            string // spark.lambda_function
	ThresholdMB         int    // spark.file_size_threshold_mb
	Driver              string // postgres.jdbc_driver_path
}

// Configured reports whether anything of AWS is set.
func (a AWS) Configured() bool {
	return a.Application != "" || a.PostgresApplication != "" || a.Function != ""
}

// Table is one table as far as it matters here.
type Table struct {
	Name     string
	Source   sparkwright.SourceKind // "" = PostgreSQL
	Location string                 // of Glue tables and files
	Bytes    int64                  // that will be read; see Estimate; -1 = unknown

	// Of PostgreSQL tables.
	Host    string
	Remote  bool // a job in AWS can log in: by a secret of Secrets Manager, or by IAM
	Distant bool // this machine cannot reach the database
}

// Input is all that a decision depends on.
type Input struct {
	Tables     []Table
	Asked      string // Request.Executor: "", "local", "batch", "emr", "lambda", "auto"
	AWS        AWS
	Local      string // why this machine's Spark is as it is; begins the reason
	OutputPath string // the request's
	Session    string // names the default output path
}

// Decide returns the place. CodeInvalid when the place that the tables need is
// not configured: the message names the key.
func Decide(in Input) (sparkwright.Placement, error) {
	d := decision{in: in, asked: strings.ToLower(in.Asked)}
	for _, t := range in.Tables {
		switch t.Source {
		case "", sparkwright.SourcePostgres:
			d.postgres = append(d.postgres, t)
		default:
			d.other = append(d.other, t)
		}
		if t.Bytes < 0 {
			d.unknown = true
		}
		d.bytes += max(t.Bytes, 0)
	}
	p, err := d.place()
	if err != nil {
		return p, err
	}
	p.Bytes = d.bytes
	p.Reason += "; " + d.size()
	return p, nil
}

type decision struct {
	in              Input
	asked           string
	postgres, other []Table
	bytes           int64
	unknown         bool // the size of a table is not known
}

func (d *decision) place() (sparkwright.Placement, error) {
	switch d.asked {
	case "local", "connect", "spark":
		return d.local("as asked for")
	case "batch":
		if why := d.notHere(); why != "" {
			return d.away(why)
		}
		return sparkwright.Placement{Executor: Batch, Reason: "spark-submit, as asked for", OutputPath: d.in.OutputPath}, nil
	}
	if !d.in.AWS.Configured() {
		return d.nothingConfigured()
	}
	if why := d.onlyHere(); why != "" {
		if d.asked == "emr" {
			return sparkwright.Placement{}, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "this run cannot be carried out on EMR Serverless", Because: why,
				Remedy: "keep the login in AWS Secrets Manager and give its ARN as secret_arn, or leave the platform open",
			}
		}
		return d.local(why)
	}
	return d.away("")
}

// nothingConfigured is this machine's Spark, or the key that is missing where
// it cannot be that.
func (d *decision) nothingConfigured() (sparkwright.Placement, error) {
	if why := d.notHere(); why != "" {
		return d.away(why)
	}
	switch d.asked {
	case "emr":
		key := "spark.emr_application_id"
		if len(d.postgres) > 0 {
			key = "spark.emr_postgres_application_id"
		}
		return d.local("emr was asked for, but " + key + " is not set")
	default:
		return d.local("")
	}
}

// local is the warm Spark of this machine.
func (d *decision) local(why string) (sparkwright.Placement, error) {
	if not := d.notHere(); not != "" {
		return d.away(not)
	}
	reason := d.in.Local
	if why != "" {
		reason += " (" + why + ")"
	}
	return sparkwright.Placement{Executor: Connect, Reason: reason, OutputPath: d.in.OutputPath}, nil
}

// away is a place in AWS. because says why it cannot be this machine, or is
// empty.
func (d *decision) away(because string) (sparkwright.Placement, error) {
	note := ""
	if because != "" {
		note = ", since " + because
	}
	if len(d.postgres) > 0 {
		return d.dedicated(note)
	}
	small := !d.unknown && d.bytes < int64(d.in.AWS.ThresholdMB)<<20
	switch {
	case d.in.AWS.Function != "" && small && d.asked != "emr":
		if err := d.need("spark.s3_bucket", d.in.AWS.Bucket, "Lambda"); err != nil {
			return sparkwright.Placement{}, err
		}
		return d.inAWS(Lambda, d.in.AWS.Function,
			fmt.Sprintf("Glue and S3 only, below %d MB: Lambda function %s%s", d.in.AWS.ThresholdMB, d.in.AWS.Function, note)), nil
	default:
		return d.standard(note, small)
	}
}

// dedicated is the application beside the databases.
func (d *decision) dedicated(note string) (sparkwright.Placement, error) {
	a := d.in.AWS
	for _, k := range []struct{ key, value string }{
		{"spark.emr_postgres_application_id", a.PostgresApplication}, {"spark.s3_bucket", a.Bucket}, {"postgres.jdbc_driver_path", a.Driver},
	} {
		if err := d.need(k.key, k.value, "PostgreSQL tables on EMR Serverless"); err != nil {
			return sparkwright.Placement{}, err
		}
	}
	what := "PostgreSQL tables"
	if len(d.other) > 0 {
		what = "PostgreSQL tables with others"
	}
	p := d.inAWS(EMR, a.PostgresApplication, what+": EMR Serverless application "+a.PostgresApplication+" with the JDBC driver"+note)
	p.Driver = a.Driver
	return p, nil
}

// standard is the application without a VPC.
func (d *decision) standard(note string, small bool) (sparkwright.Placement, error) {
	a := d.in.AWS
	for _, k := range []struct{ key, value string }{{"spark.emr_application_id", a.Application}, {"spark.s3_bucket", a.Bucket}} {
		if err := d.need(k.key, k.value, "Glue tables and S3 on EMR Serverless"); err != nil {
			return sparkwright.Placement{}, err
		}
	}
	why := "Glue and S3 only"
	switch {
	case d.asked == "emr":
		why += ", emr as asked for"
	case a.Function == "":
	case d.unknown:
		why += ", of unknown size"
	case !small:
		why += fmt.Sprintf(", not below %d MB", a.ThresholdMB)
	}
	return d.inAWS(EMR, a.Application, why+": EMR Serverless application "+a.Application+note), nil
}

func (d *decision) inAWS(executor, application, reason string) sparkwright.Placement {
	path := strings.TrimRight(d.in.OutputPath, "/")
	if !strings.HasPrefix(path, "s3://") {
		path = "s3://" + d.in.AWS.Bucket + "/output/" + cmp.Or(d.in.Session, "runs")
	}
	return sparkwright.Placement{Executor: executor, Reason: reason, Application: application, OutputPath: path}
}

func (d *decision) need(key, value, what string) error {
	if value != "" {
		return nil
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the setting " + key + " is not set", Because: what + " need it",
		Remedy: "set " + key + " in settings.json, or ask for the platform \"local\" where this machine reaches the data",
	}
}

// onlyHere says why no job in AWS can read the tables; "" = one can.
func (d *decision) onlyHere() string {
	for _, t := range d.postgres {
		switch {
		case !t.Remote:
			return "the login of " + t.Name + " is kept on this machine"
		case loopback(t.Host) && d.asked != "emr" && !t.Distant:
			return t.Name + " is on this machine"
		}
	}
	for _, t := range d.other {
		if !strings.HasPrefix(t.Location, "s3://") {
			return t.Name + " is a file on this machine"
		}
	}
	return ""
}

// notHere says why this machine cannot read the tables; "" = it can.
func (d *decision) notHere() string {
	for _, t := range d.postgres {
		if t.Distant {
			return "this machine cannot reach the database of " + t.Name
		}
	}
	return ""
}

func (d *decision) size() string {
	size := fmt.Sprintf("about %d MB", (d.bytes+1<<20-1)>>20)
	if d.unknown {
		return size + " and tables of unknown size"
	}
	return size
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
