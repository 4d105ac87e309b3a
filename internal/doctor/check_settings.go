package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright/internal/settings"
)

// usesEMR reports whether PostgreSQL questions are to run on EMR Serverless.
func (c Config) usesEMR() bool {
	s := c.Settings.Spark
	return s.EMRApplicationID != "" || s.EMRPostgresApplicationID != ""
}

func settingsChecks(c Config) []Check {
	list := []Check{settingsFile(c), settingsConnections(c)}
	if c.usesEMR() {
		list = append(list, settingsApplication(c), settingsDriver(c), settingsBucket(c))
	}
	return list
}

func settingsFile(c Config) Check {
	return Check{
		Info: Info{ID: "settings.file", Group: "settings", Title: "settings.json can be read", How: "reads " + settings.FileName + " and the environment", Cheap: true},
		Run: func(context.Context) Finding {
			switch {
			case c.Error != nil:
				return fail("the settings cannot be used", c.Error.Error(), setting("correct the key that is named, in "+c.Home+"/"+settings.FileName))
			case len(c.Settings.Warnings) > 0:
				return warn(fmt.Sprintf("%d findings in the settings", len(c.Settings.Warnings)), strings.Join(c.Settings.Warnings, "; "), setting("correct or remove these keys"))
			}
			return ok("every key is known")
		},
	}
}

func settingsConnections(c Config) Check {
	return Check{
		Info: Info{ID: "settings.connections", Group: "settings", Title: "there is a PostgreSQL connection", How: "reads postgres.connections", Needs: "settings.file"},
		Run: func(context.Context) Finding {
			n := len(c.connections()) + len(c.Extra)
			if n == 0 {
				return warn("there is no PostgreSQL connection", "postgres.connections is empty",
					command("sparkwright connections add NAME --host HOST --database DATABASE --user sparkwright_reader --secret env:PGPASSWORD"))
			}
			return ok(fmt.Sprintf("%d connections", n))
		},
	}
}

func settingsApplication(c Config) Check {
	return Check{
		Info: Info{ID: "settings.postgres_application", Group: "settings", Title: "spark.emr_postgres_application_id is set", How: "jq .spark.emr_postgres_application_id settings.json", Cheap: true, Needs: "settings.file"},
		Run: func(context.Context) Finding {
			if c.Settings.Spark.EMRPostgresApplicationID == "" {
				return fail("spark.emr_postgres_application_id is not set", "PostgreSQL questions need the application with the VPC",
					terraform("terraform output -raw settings"), setting(`{"spark": {"emr_postgres_application_id": "ID"}}`),
					command("aws emr-serverless list-applications --query \"applications[?name=='spark-postgres-interpreter-app'].id\""))
			}
			return ok(c.Settings.Spark.EMRPostgresApplicationID)
		},
	}
}

// driverPath is where the driver belongs, when the bucket is known.
func (c Config) driverPath() string {
	if p := c.Settings.Postgres.JDBCDriverPath; p != "" {
		return p
	}
	if c.Settings.Spark.S3Bucket == "" {
		return ""
	}
	return "s3://" + c.Settings.Spark.S3Bucket + "/jars/" + driverName
}

func settingsDriver(c Config) Check {
	want := c.driverPath()
	check := Check{
		Info: Info{ID: "settings.driver", Group: "settings", Title: "postgres.jdbc_driver_path is set", How: "jq .postgres.jdbc_driver_path settings.json", Cheap: true, Needs: "settings.file"},
		Run: func(context.Context) Finding {
			p := c.Settings.Postgres.JDBCDriverPath
			switch {
			case p == "":
				return fail("postgres.jdbc_driver_path is not set", "without it the job fails with ClassNotFoundException: org.postgresql.Driver",
					setting(fmt.Sprintf(`{"postgres": {"jdbc_driver_path": %q}}`, want)))
			case !strings.HasPrefix(p, "s3://") || !strings.HasSuffix(p, ".jar"):
				return fail("postgres.jdbc_driver_path is not a jar in S3", "it is "+p, setting(`{"postgres": {"jdbc_driver_path": "s3://BUCKET/jars/`+driverName+`"}}`))
			}
			return ok(p)
		},
	}
	if want != "" && c.Save != nil {
		check.Repair = func() *Repair {
			return &Repair{Plan: "write postgres.jdbc_driver_path = " + want + " to " + settings.FileName, Do: func(context.Context) error {
				return c.Save(func(s *settings.Settings) error { s.Postgres.JDBCDriverPath = want; return nil })
			}}
		}
	}
	return check
}

func settingsBucket(c Config) Check {
	return Check{
		Info: Info{ID: "settings.bucket", Group: "settings", Title: "spark.s3_bucket is set", How: "reads spark.s3_bucket", Cheap: true, Needs: "settings.file"},
		Run: func(context.Context) Finding {
			if c.Settings.Spark.S3Bucket == "" {
				return fail("spark.s3_bucket is not set", "scripts, results and logs of EMR Serverless go there",
					terraform("terraform output -raw settings"), setting(`{"spark": {"s3_bucket": "spark-data-ACCOUNT-REGION"}}`))
			}
			return ok(c.Settings.Spark.S3Bucket)
		},
	}
}
