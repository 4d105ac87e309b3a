package doctor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// All describes every check that there is, whatever is configured.
func All() []Info {
	s := settings.Default()
	s.Spark.EMRApplicationID, s.Spark.EMRPostgresApplicationID, s.Spark.S3Bucket = "x", "x", "x"
	s.Postgres.JDBCDriverPath = "s3://x/" + driverName
	s.Postgres.Connections = []settings.Connection{{Name: "x", SecretARN: "arn:aws:secretsmanager:r:1:secret:x", Enabled: true}} //nolint:gosec // a name that stands for any
	c := Config{
		Settings: s, AWS: &AWS{}, Now: time.Now, Port: 1,
		Inspect: func(context.Context) (*localruntime.Status, error) { return nil, nil }, //nolint:nilnil // never called
		Login: func(context.Context, sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
			return sparkwright.Connection{}, sparkwright.Credentials{}, nil
		},
	}
	var out []Info
	for _, check := range Checks(c) {
		check.About = ""
		out = append(out, check.Info)
	}
	return out
}
