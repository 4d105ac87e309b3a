package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lambda"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// A question about Glue tables goes to the real handler on Lambda. Where time,
// memory or disk of the function are not enough for Spark it moves to EMR
// Serverless, once, says why, and is answered there.
func TestMoveFromLambda(t *testing.T) { //nolint:tparallel // its parts share the lab
	t.Parallel()
	conn, _ := ordersDatabase(t)
	l := sparkLab(t, conn, emr.Timing{Step: 20 * time.Millisecond})
	if err := l.World.Put(t.Context(), "lake/products/p.csv", []byte("6,pear\n13,plum\n0,apple\n")); err != nil {
		t.Fatal(err)
	}
	lakeTable(t, l)
	emrSpark, err := localruntime.InstallEMR(t.Context(), localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)})
	if err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs(filepath.Join("..", "..", "deploy", "lambda"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		timeout int // spark.lambda_timeout_seconds
		cfg     lambda.Config
		why     string // in the result.Reason; "" = it stays
		long    bool
	}{
		{name: "enough", timeout: 280},
		{name: "time", timeout: 3, why: "task timed out after 3 s", long: true},
		{name: "memory", timeout: 280, cfg: lambda.Config{MemoryMB: 150}, why: "signal: killed"},
		{name: "disk", timeout: 280, cfg: lambda.Config{DiskMB: 1}, why: "No space left on device", long: true},
	} {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // they share the lab
			if tt.long {
				testkit.Long(t)
			}
			cfg := tt.cfg
			cfg.Install, cfg.Source, cfg.SparkHome = l.Install, source, emrSpark.SparkHome
			cfg.Env, cfg.Timeout = append(append(l.Env(), emrSpark.Env()...), "SPARK_DRIVER_MEMORY=1g"), 5*time.Minute
			f, err := lambda.Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			conf := l.World.Settings()
			spark := conf["spark"].(map[string]any)
			spark["lambda_function"], spark["lambda_timeout_seconds"] = lambda.Function, tt.timeout
			s := l.serve(t, conf, "AWS_ENDPOINT_URL_LAMBDA="+f.URL())
			before := l.EMR.Calls("StartJobRun")
			result := s.post(t, "/spark/generate", map[string]any{
				"prompt": "How many products are there?", "session_id": t.Name(), "framework": "spark",
				"selected_tables": []any{map[string]any{"database": "lake", "table": "products"}},
			})
			if result.Outcome != "success" || len(result.Rows) != 1 {
				t.Fatalf("%s, %s, %v\n%s", result.Outcome, result.Message, result.Rows, s.said())
			}
			moved := l.EMR.Calls("StartJobRun") - before
			switch {
			case f.Invocations() != 1:
				t.Errorf("the function was called %d times", f.Invocations())
			case tt.why == "" && (moved != 0 || !strings.Contains(result.Reason, "Lambda function "+lambda.Function)):
				t.Errorf("%d jobs on EMR Serverless, %s", moved, result.Reason)
			case tt.why != "" && (moved != 1 || !strings.HasPrefix(result.Reason, "moved from Lambda to EMR Serverless application "+awsemu.StandardApp) || !strings.Contains(result.Reason, tt.why)):
				t.Errorf("%d jobs on EMR Serverless, %s", moved, result.Reason)
			}
		})
	}
}

// lakeTable is a table of the Glue catalog whose files are in the bucket.
func lakeTable(t *testing.T, l *testLab) {
	t.Helper()
	catalog := glue.NewFromConfig(l.Config())
	if _, err := catalog.CreateDatabase(t.Context(), &glue.CreateDatabaseInput{DatabaseInput: &types.DatabaseInput{Name: aws.String("lake")}}); err != nil {
		t.Fatal(err)
	}
	_, err := catalog.CreateTable(t.Context(), &glue.CreateTableInput{DatabaseName: aws.String("lake"), TableInput: &types.TableInput{
		Name: aws.String("products"), TableType: aws.String("EXTERNAL_TABLE"),
		StorageDescriptor: &types.StorageDescriptor{
			Location: aws.String("s3://" + awsemu.Bucket + "/lake/products/"), InputFormat: aws.String("org.apache.hadoop.mapred.TextInputFormat"),
			OutputFormat: aws.String("org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"),
			SerdeInfo:    &types.SerDeInfo{SerializationLibrary: aws.String("org.apache.hadoop.hive.serde2.OpenCSVSerde"), Parameters: map[string]string{"separatorChar": ","}},
			Columns:      []types.Column{{Name: aws.String("id"), Type: aws.String("int")}, {Name: aws.String("name"), Type: aws.String("string")}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
}
