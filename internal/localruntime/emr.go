package localruntime

import (
	"context"
	_ "embed"
	"net/http"
	"os"
	"path"
	"path/filepath"

	"github.com/sparkwright/sparkwright/internal/fetch"
)

// EMRSparkVersion is the Spark of the EMR Serverless emulator: the newest
// release of the line that emr-7.x ships.
const EMRSparkVersion = "3.5.9"

//go:embed emr-requirements.txt
var emrRequirements []byte

// emrJars are what lets Spark 3.5 read and write s3://: hadoop-aws of the
// Hadoop client that pyspark 3.5 bundles, and the parts of the AWS SDK that it
// uses, instead of the bundle of 281 MB.
var emrJars = []struct{ path, sha256 string }{
	{"org/apache/hadoop/hadoop-aws/3.3.4/hadoop-aws-3.3.4.jar", "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a"},
	{"com/amazonaws/aws-java-sdk-core/1.12.262/aws-java-sdk-core-1.12.262.jar", "06fed99f929c389e168278c1b111aaf1afb270d07202fbbce92e73d1e4279678"},
	{"com/amazonaws/aws-java-sdk-s3/1.12.262/aws-java-sdk-s3-1.12.262.jar", "a0cb7580178bc0d4d3558295a5bb890008478da8a6b3241989c71238b0ed3be5"},
	{"com/amazonaws/aws-java-sdk-kms/1.12.262/aws-java-sdk-kms-1.12.262.jar", "c00f5ae7b334255f661d85512e7203af9523a04fb65d0c431c2eea2003ed8ae2"},
	{"com/amazonaws/aws-java-sdk-dynamodb/1.12.262/aws-java-sdk-dynamodb-1.12.262.jar", "7af4ba06d0d9b3c2ab435089caecd0567810d203aa285f7aa72861f1964d442e"},
	{"com/amazonaws/aws-java-sdk-sts/1.12.262/aws-java-sdk-sts-1.12.262.jar", "659f48d8ebc02025c5042cc4b925f62610e81f334498f1b9e7a271ce20ecbcae"},
	{"com/amazonaws/jmespath-java/1.12.262/jmespath-java-1.12.262.jar", "9001ea993a45d82a2d3086edcbda8a40b4e012d049a70fbf071fd329c0fbd777"},
	{"joda-time/joda-time/2.8.1/joda-time-2.8.1.jar", "b4670b95f75957c974284c5f3ada966040be2578f643c5c6083d262162061fa2"},
	{"org/apache/httpcomponents/httpclient/4.5.13/httpclient-4.5.13.jar", "6fe9026a566c6a5001608cf3fc32196641f6c1e5e1986d1037ccdbd5f31ef743"},
	{"org/apache/httpcomponents/httpcore/4.4.13/httpcore-4.4.13.jar", "e06e89d40943245fcfa39ec537cdbfce3762aecde8f9c597780d2b00c2b43424"},
	{"commons-logging/commons-logging/1.1.3/commons-logging-1.1.3.jar", "70903f6fc82e9908c8da9f20443f61d90f0870a312642991fe8462a0b9391784"},
}

// InstallEMR makes the runtime of the EMR Serverless emulator complete and
// returns it: Spark 3.5 with S3A and boto3, as an emr-7.x image has them. The
// PostgreSQL driver lies beside it, not on Spark's class path. Errors are those
// of Install.
func InstallEMR(ctx context.Context, opt Options) (*Runtime, error) {
	java, err := findJava(ctx, opt)
	if err != nil {
		return nil, err
	}
	dir, spark, err := Venv(ctx, opt, "emr", emrRequirements,
		"import os, boto3, pyspark; print(os.path.dirname(pyspark.__file__))")
	if err != nil {
		return nil, err
	}
	rt := &Runtime{
		Dir: dir, Python: filepath.Join(dir, "venv", "bin", "python"), SparkHome: spark,
		Driver: filepath.Join(dir, "jars", driverName), JavaHome: java,
	}
	get := func(from, sha256, dest string) error {
		return fetch.File(ctx, fetch.Options{URL: opt.MavenURL + "/" + from, Dest: dest, SHA256: sha256, Client: &http.Client{}})
	}
	if err := get(driverPath, driverSHA256, rt.Driver); err != nil {
		return nil, err
	}
	for _, jar := range emrJars {
		dest := filepath.Join(spark, "jars", path.Base(jar.path))
		if _, err := os.Stat(dest); err != nil { // fetch gives a file its name only when it is whole
			opt.say("%s", path.Base(jar.path))
		}
		if err := get(jar.path, jar.sha256, dest); err != nil {
			return nil, err
		}
	}
	return rt, nil
}
