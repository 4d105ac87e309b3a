package diagnose

import "github.com/sparkwright/sparkwright"

// awsClasses are failures at the services that a job uses: networks without a
// way, permissions, credentials.
func awsClasses() []Class {
	infra, transient := sparkwright.FaultInfrastructure, sparkwright.FaultTransient
	class := func(source Source, id, title, pattern, because, remedy, check string) Class {
		return Class{ID: id, Title: title, Kind: infra, Source: source, Pattern: pattern, Because: because, Remedy: remedy, Check: check}
	}
	common := func(place int, c Class) Class { c.Common = place; return c }
	// An endpoint that is not there, in the words of boto3 and of both Java SDKs.
	// Behind a proxy or in the emulator the service stands in the URL's path.
	away := func(service string) string {
		return `(?:Connect timeout on endpoint URL|Could not connect to the endpoint URL|Read timeout on endpoint URL): "https?://(?:[^/"]+/)?` + service +
			`|Connect to ` + service + `[^ ]* .*(?:timed out|failed)|Unable to execute HTTP request: Connect to ` + service
	}
	slow := class(Documented, "s3.slow_down", "S3 asks to slow down", `503 Slow ?Down|Status Code: 503.*Slow|SlowDown`,
		"too many requests reach one prefix of the bucket", "ask again; write fewer and larger files", "")
	slow.Kind, slow.Rank = transient, 4
	return []Class{
		common(2, class(Provoked, "vpc.logs_endpoint", "connect time-out to CloudWatch Logs", away(`logs\.`),
			"the VPC has no endpoint for CloudWatch Logs, or private DNS or its security group keeps the job from it",
			"create the interface endpoint com.amazonaws.REGION.logs with private DNS in the application's VPC (terraform: aws_vpc_endpoint.interface[\"logs\"])", "network.endpoint.logs")),
		common(3, class(Documented, "secrets.access_denied", "AccessDeniedException for Secrets Manager",
			`AccessDenied(?:Exception)?.*(?:GetSecretValue|secretsmanager)|not authorized to perform: secretsmanager:`,
			"the execution role may not read the connection's secret",
			"add the inline policy EMRSecretsManagerPolicy to EMRServerlessExecutionRole: GetSecretValue and DescribeSecret on secret:spark/postgres/*", "iam.secrets")),
		common(4, class(Provoked, "vpc.secrets_endpoint", "connect time-out to Secrets Manager", away(`secretsmanager\.`),
			"the VPC has no endpoint for Secrets Manager, or private DNS or its security group keeps the job from it",
			"create the interface endpoint com.amazonaws.REGION.secretsmanager with private DNS in the application's VPC (terraform: aws_vpc_endpoint.interface[\"secretsmanager\"])", "network.endpoint.secretsmanager")),
		class(Documented, "vpc.s3_endpoint", "connect time-out to S3", away(`(?:[a-z0-9.-]+\.)?s3[.-]`),
			"the subnets have no S3 gateway endpoint in their route tables", "create the gateway endpoint for S3 and enter it into the route tables (terraform: aws_vpc_endpoint.s3)", "network.endpoint.s3"),
		class(Provoked, "vpc.endpoint", "connect time-out to STS or Glue", away(`(?:sts|glue)\.`),
			"the VPC has no endpoint for this service", "create the interface endpoint (terraform: endpoints = [\"sts\", \"glue\"])", "network.endpoint.optional"),
		class(Documented, "secrets.not_found", "the secret does not exist", `ResourceNotFoundException.*(?:GetSecretValue|[Ss]ecrets Manager can't find)`,
			"the connection's secret was deleted, or stands in another region or account", "correct secret_arn of the connection, or store the secret again", "secrets.readable"),
		class(Documented, "s3.access_denied", "access to S3 denied", `AmazonS3Exception: Access Denied|Access Denied \(Service: (?:Amazon )?S3|Status Code: 403.*Amazon S3|(?:HeadObject|PutObject|GetObject|ListObjectsV2) operation: (?:Forbidden|Access Denied)`,
			"the execution role, the bucket's policy or the endpoint's policy does not allow this", "allow s3:GetObject on what is read and s3:PutObject on output/ and logs/ to the execution role", "iam.storage"),
		class(Documented, "s3.no_bucket", "the bucket does not exist", `NoSuchBucket|The specified bucket does not exist`,
			"there is no bucket of this name", "correct spark.s3_bucket", "storage.bucket"),
		class(Documented, "s3.region", "the bucket is in another region", `PermanentRedirect|must be addressed using the specified endpoint|Status Code: 301`,
			"the bucket is in another region than the application", "use a bucket in the application's region", "storage.bucket"),
		slow,
		class(Documented, "kms.denied", "a key may not be used", `not authorized to perform: kms:|AccessDenied.*kms:Decrypt|KMS\.(?:AccessDenied|Disabled)`,
			"the execution role may not use the key of the bucket or the secret", "allow kms:Decrypt and kms:GenerateDataKey on the key to the execution role", "iam.storage"),
		class(Documented, "glue.access_denied", "access to Glue denied", `AccessDenied.*glue:|not authorized to perform: glue:`,
			"the execution role may not read the Glue catalog", "allow glue:GetTable, GetDatabase and GetPartitions to the execution role (terraform: EMRGluePolicy)", "iam.glue"),
		class(Documented, "glue.lake_formation", "Lake Formation refuses", `Insufficient Lake Formation permission`,
			"Lake Formation governs the table and has granted nothing to the execution role", "aws lakeformation grant-permissions --permissions SELECT to the execution role", "iam.glue"),
		class(Documented, "glue.not_found", "the Glue table does not exist", `EntityNotFoundException`,
			"the Glue database or table does not exist", "look at the tables there are: sparkwright tables", "iam.glue"),
		class(Documented, "glue.metastore", "Spark looks into a catalog of its own", `javax\.jdo|MetaException.*Derby|metastore_db|Unable to instantiate .*SessionHiveMetaStoreClient`,
			"Spark was not told to use the Glue catalog and fell back to a local Derby", "set spark.hadoop.hive.metastore.client.factory.class to AWSGlueDataCatalogHiveClientFactory", ""),
		class(Documented, "aws.expired", "AWS credentials have expired", `ExpiredToken(?:Exception)?|security token included in the request is expired`,
			"the AWS credentials have expired", "log in again (aws sso login); on a server use a role instead of keys", "aws.identity"),
		class(Documented, "aws.clock", "the clock is wrong", `RequestTimeTooSkewed|Signature (?:expired|not yet current)|RequestExpired`,
			"the clock of this machine differs from that of AWS by more than five minutes", "synchronise the clock (NTP)", "aws.clock"),
		class(Documented, "aws.credentials", "AWS credentials are wrong", `InvalidSignatureException|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId`,
			"the AWS credentials are not valid", "correct AWS_PROFILE, or the keys", "aws.identity"),
		class(Provoked, "aws.no_credentials", "no AWS credentials", `NoCredentialsError|Unable to (?:locate credentials|load AWS credentials|load credentials from any)`,
			"the process has no AWS credentials", "set AWS_PROFILE, or give the machine a role", "aws.identity"),
	}
}
