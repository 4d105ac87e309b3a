package emrserverless

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// maxPolicy is how long a session policy may be.
const maxPolicy = 2048

type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition any `json:",omitempty"`
}

// policy is what the job may do of what its role may: read its tables, its
// script with its driver and modules, write its own result and logs, and take the one
// secret of each connection. Where it would be longer than AWS allows, single
// tables and prefixes give way to their databases and buckets.
func (e *Executor) policy(role string, job *sparkwright.Job) (string, error) {
	parsed, err := arn.Parse(role)
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the execution role %q is not an ARN", role)
	}
	for coarse := range 3 {
		text, err := e.render(parsed, job, coarse)
		if err != nil || len(text) <= maxPolicy {
			return text, err
		}
	}
	return "", &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the run reads too many places in AWS for the policy of one job",
		Remedy: "select fewer tables",
	}
}

func (e *Executor) render(role arn.ARN, job *sparkwright.Job, coarse int) (string, error) {
	s3 := func(bucket, key string) string { return "arn:" + role.Partition + ":s3:::" + bucket + key }
	outBucket, outKey, _ := awscloud.SplitS3(job.Location)
	buckets := []string{s3(e.cfg.Bucket, ""), s3(outBucket, "")}
	reads := []string{s3(e.cfg.Bucket, "/"+scriptKey(job.Attempt.Script))}
	add := func(url string) {
		bucket, key, ok := awscloud.SplitS3(url)
		if !ok {
			return
		}
		buckets = append(buckets, s3(bucket, ""))
		if coarse >= 1 || key == "" {
			reads = append(reads, s3(bucket, "/*"))
			return
		}
		// One object, or a directory, which Spark looks at without its slash first.
		reads = append(reads, s3(bucket, "/"+key+"/*"), s3(bucket, "/"+key))
	}
	for _, url := range []string{job.Placement.Driver, job.Modules} {
		if bucket, key, ok := awscloud.SplitS3(url); ok {
			buckets, reads = append(buckets, s3(bucket, "")), append(reads, s3(bucket, "/"+key))
		}
	}
	for _, url := range job.Access.Prefixes {
		add(url)
	}
	writes := []string{s3(outBucket, "/"+outKey+"/*"), s3(e.cfg.Bucket, "/"+logPrefix+"*")}
	list := []statement{
		{Action: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: unique(buckets)},
		{Action: []string{"s3:GetObject"}, Resource: unique(reads)},
		{Action: []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, Resource: unique(writes)},
		{
			Action:   []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resource: []string{"arn:" + role.Partition + ":logs:*:" + role.AccountID + ":*"},
		},
	}
	if len(job.Access.Secrets) > 0 {
		list = append(list, statement{
			Action: []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}, Resource: unique(job.Access.Secrets),
		})
	}
	if len(job.Access.Logins) > 0 {
		users := make([]string, 0, len(job.Access.Logins))
		for _, l := range job.Access.Logins {
			users = append(users, "arn:"+role.Partition+":rds-db:"+l.Region+":"+role.AccountID+":dbuser:*/"+l.User)
		}
		list = append(list, statement{Action: []string{"rds-db:connect"}, Resource: unique(users)})
	}
	if len(job.Access.Glue) > 0 {
		list = append(list, statement{
			Action:   []string{"glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"},
			Resource: glueResources(role, job.Access.Glue, coarse >= 2),
		})
	}
	// Keys of one's own on the secret or the buckets, and only by way of these services.
	list = append(list, statement{
		Action: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: []string{"*"},
		Condition: map[string]any{"StringLike": map[string]any{"kms:ViaService": []string{"s3.*", "secretsmanager.*"}}},
	})
	for i := range list {
		list[i].Effect = "Allow"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", list})
	return strings.TrimSpace(b.String()), err
}

// glueResources are the tables with what Spark asks for beside them: the
// catalog, and the databases default and global_temp.
func glueResources(role arn.ARN, tables []sparkwright.GlueTable, whole bool) []string {
	prefix := "arn:" + role.Partition + ":glue:*:" + role.AccountID + ":"
	list := []string{prefix + "catalog", prefix + "database/default", prefix + "database/global_temp"}
	for _, t := range tables {
		list = append(list, prefix+"database/"+t.Database)
		if whole {
			list = append(list, prefix+"table/"+t.Database+"/*")
		} else {
			list = append(list, prefix+"table/"+t.Database+"/"+t.Table)
		}
	}
	return unique(list)
}

func unique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
