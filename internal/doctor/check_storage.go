package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// The driver that belongs at postgres.jdbc_driver_path, as published.
const (
	driverName  = "postgresql-" + localruntime.DriverVersion + ".jar"
	driverBytes = 1116727
	driverSum   = "2a32a9dcbc42d67a50ad3a0de5efd102c8d2be46720045f2cbd6689f160ab7c7" // SHA-256
	driverMD5   = "d5626352279a40e69e863fcff564e2f1"                                 // what S3 calls its ETag
	sumKey      = "sha256"                                                           // of our uploads' metadata
)

func storageChecks(w *world) []Check {
	var list []Check
	if w.Settings.Spark.S3Bucket != "" {
		list = append(list, storageBucket(w))
	}
	if w.driverPath() != "" {
		list = append(list, storageDriver(w))
	}
	return list
}

func storageBucket(w *world) Check {
	bucket := w.Settings.Spark.S3Bucket
	return Check{
		Info: Info{ID: "storage.bucket", Group: "storage", Title: "the bucket is there, in this region, encrypted", How: "s3:GetBucketLocation, s3:GetEncryptionConfiguration " + bucket, Needs: "aws.identity"},
		Run: func(ctx context.Context) Finding {
			at, err := w.AWS.Storage.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &bucket})
			if err != nil {
				if denied(err) {
					return blind(err, "s3:GetBucketLocation")
				}
				return fail("the bucket "+bucket+" cannot be looked at", because(err), terraform("terraform apply"), command("aws s3 mb s3://"+bucket+" --region "+w.AWS.Region))
			}
			region := string(at.LocationConstraint)
			if region == "" {
				region = "us-east-1"
			}
			if region != w.AWS.Region {
				return fail("the bucket is in "+region, "the application is in "+w.AWS.Region+"; a job in a VPC reaches only buckets of its own region", setting(`{"spark": {"s3_bucket": "A_BUCKET_IN_`+w.AWS.Region+`"}}`))
			}
			enc, err := w.AWS.Storage.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
			if err != nil && denied(err) {
				return blind(err, "s3:GetEncryptionConfiguration")
			}
			if err != nil || enc.ServerSideEncryptionConfiguration == nil || len(enc.ServerSideEncryptionConfiguration.Rules) == 0 {
				return warn("the bucket has no encryption of its own", "results and logs are stored as AWS chooses",
					command("aws s3api put-bucket-encryption --bucket "+bucket+` --server-side-encryption-configuration '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'`))
			}
			return ok(bucket + " in " + region)
		},
	}
}

func splitS3(url string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	return bucket, key
}

func storageDriver(w *world) Check {
	path := w.driverPath()
	bucket, key := splitS3(path)
	upload := command("aws s3 cp " + driverName + " " + path + " --checksum-algorithm SHA256")
	check := Check{
		Info: Info{ID: "storage.driver", Group: "storage", Title: "the JDBC driver is in S3, undamaged", How: "s3:HeadObject " + path + " with checksum; compared with the published jar", Cheap: true, Needs: "aws.identity settings.driver"},
		Run: func(ctx context.Context) Finding {
			out, err := w.AWS.Storage.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: s3types.ChecksumModeEnabled})
			switch {
			case err != nil && denied(err):
				return blind(err, "s3:GetObject")
			case err != nil:
				return fail("the JDBC driver is not at "+path, "the job will fail with ClassNotFoundException: org.postgresql.Driver ("+because(err)+")", upload, terraform("terraform apply -target=aws_s3_object.driver"))
			}
			return judgeDriver(out, upload)
		},
	}
	if w.Driver != nil {
		check.Repair = func() *Repair {
			return &Repair{Plan: "upload " + driverName + " to " + path, Do: func(ctx context.Context) error { return w.uploadDriver(ctx, bucket, key) }}
		}
	}
	return check
}

// judgeDriver compares by SHA-256 where S3 knows it, else by MD5 and size.
func judgeDriver(out *s3.HeadObjectOutput, upload Fix) Finding {
	size := aws.ToInt64(out.ContentLength)
	if size < 100_000 {
		return fail(fmt.Sprintf("what lies at the driver's place has %d bytes", size), "it is not a JDBC driver", upload)
	}
	sum := out.Metadata[sumKey]
	if raw, err := base64.StdEncoding.DecodeString(aws.ToString(out.ChecksumSHA256)); err == nil && len(raw) == sha256.Size {
		sum = hex.EncodeToString(raw)
	}
	tag := strings.Trim(aws.ToString(out.ETag), `"`)
	switch {
	case sum == driverSum, sum == "" && tag == driverMD5:
		return ok(driverName + ", checksum right")
	case sum == "" && (strings.Contains(tag, "-") || len(tag) != len(driverMD5)):
		return warn("the driver's checksum is not known", "S3 keeps none for it", upload)
	case size != driverBytes && sum == "":
		return warn("another driver than "+driverName+" is in use", fmt.Sprintf("it has %d bytes, not %d", size, driverBytes), upload)
	}
	return fail("the driver in S3 is not the published "+driverName, "its checksum differs: another version, or a damaged upload", upload)
}

func (w *world) uploadDriver(ctx context.Context, bucket, key string) error {
	path, err := w.Driver()
	if err != nil {
		return err
	}
	file, err := os.Open(path) //nolint:gosec // the installed driver
	if err != nil {
		return &sparkwright.Error{Code: sparkwright.CodeMissing, Message: "the JDBC driver is not on this machine", Because: err.Error(), Remedy: "sparkwright runtime install", Err: err}
	}
	_, err = w.AWS.Storage.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: file, ContentType: aws.String("application/java-archive"),
		ChecksumAlgorithm: s3types.ChecksumAlgorithmSha256, Metadata: map[string]string{sumKey: driverSum},
	})
	if err = errors.Join(err, file.Close()); err != nil {
		return &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: "the driver could not be uploaded to s3://" + bucket + "/" + key, Because: because(err), Remedy: "allow s3:PutObject there, or upload it by hand", Err: err}
	}
	return nil
}
