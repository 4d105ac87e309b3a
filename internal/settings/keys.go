package settings

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sparkwright/sparkwright"
)

// field binds a key of the file to its place in Settings.
type field struct {
	key   string // group.name
	env   string // "" = SPARKWRIGHT_GROUP_NAME
	ptr   any    // *string, *int or *bool into one Settings
	check func(value any) string
	about string // for people: what it is, with its unit
}

// fields lists every key with a single value. The check tells what a value
// must be, or "".
func fields(s *Settings) []field {
	sp, pg, gl := &s.Spark, &s.Postgres, &s.Global
	return []field{
		{key: "spark.master", ptr: &sp.Master, check: checkMaster, about: "Where the managed Spark Connect server runs its work: `local[*]`, `spark://HOST:PORT`, `k8s://URL` or `yarn`."},
		{key: "spark.remote", ptr: &sp.Remote, check: checkRemote, about: "Address of a Spark Connect server that is already there, `sc://HOST:PORT`. Empty: one is started. An address with a token goes into the environment variable only."},
		{key: "spark.driver_memory", ptr: &sp.DriverMemory, check: checkMemory, about: "Memory of the local Spark server."},
		{key: "spark.attempt_timeout_seconds", ptr: &sp.AttemptTimeoutSeconds, check: between(1, 7*24*3600), about: "Time limit of one attempt on local Spark, in seconds."},
		{key: "spark.local_s3_mb", ptr: &sp.LocalS3MB, check: between(0, 1<<20), about: "Tables in S3 that are read on this machine are copied to it first, each up to this size, in MB; 0 = none are."},
		{key: "spark.client_memory_mb", ptr: &sp.ClientMemoryMB, check: between(256, 1<<20), about: "Memory limit of one Python client process, in MB."},
		{key: "spark.keep_warm_seconds", ptr: &sp.KeepWarmSeconds, check: between(0, 24*3600), about: "How long the Spark server of ask and run waits for the next command before it ends; 0 = it ends with each command."},
		{key: "spark.pool_size", ptr: &sp.PoolSize, check: between(0, 64), about: "Python client processes that are kept ready."},
		{key: "spark.result_preview_rows", ptr: &sp.ResultPreviewRows, check: between(0, 10000), about: "Rows of a result's preview."},
		{key: "spark.prices", ptr: &sp.Prices, check: checkPlacePrices, about: "US dollars for an hour of a vCPU and of a GB of memory, by place, for receipts: what AWS lists for us-east-1 and x86 until you say otherwise. Empty: costs are not known."},
		{key: "spark.engine", ptr: &sp.Engine, check: oneOf("auto", "spark"), about: "What answers when a request leaves it open. `auto`: PostgreSQL by itself, read-only and on the run's snapshot, where one statement gives Spark's very answer cheaply and this machine's Spark would answer otherwise. `spark`: always Spark. The reference contract's endpoints always use Spark."},
		{key: "spark.direct_cost", ptr: &sp.DirectCost, check: between(0, 1<<40), about: "Cost by EXPLAIN up to which PostgreSQL answers by itself."},
		{key: "spark.direct_seconds", ptr: &sp.DirectSeconds, check: between(1, 3600), about: "Seconds that PostgreSQL may take for it; then Spark answers."},
		{key: "spark.s3_bucket", ptr: &sp.S3Bucket, check: checkBucket, about: "Bucket for scripts, logs and results of runs in AWS. Results go to `s3://BUCKET/output/SESSION` unless a request names another place."},
		{key: "spark.lambda_function", ptr: &sp.LambdaFunction, check: checkText, about: "Name or ARN of the Spark on Lambda function. Empty: Lambda is not used."},
		{key: "spark.emr_application_id", ptr: &sp.EMRApplicationID, check: checkApplication, about: "EMR Serverless application for Glue tables and S3 (the standard one; no VPC needed)."},
		{key: "spark.emr_postgres_application_id", ptr: &sp.EMRPostgresApplicationID, check: checkApplication, about: "EMR Serverless application for PostgreSQL tables, alone or with others. It has a VPC configuration."},
		{key: "spark.max_retries", ptr: &sp.MaxRetries, check: between(0, 10), about: "How often a failed analysis is repaired."},
		{key: "spark.file_size_threshold_mb", ptr: &sp.FileSizeThresholdMB, check: between(0, 1<<30), about: "Below this size, in MB, Glue tables and S3 go to Lambda when there is a function; from it on to EMR Serverless."},
		{key: "spark.presigned_url_expiry_hours", ptr: &sp.PresignedURLExpiryHours, check: between(1, 168), about: "How long a download link of a result in S3 is valid, in hours."},
		{key: "spark.lambda_timeout_seconds", ptr: &sp.LambdaTimeoutSeconds, check: between(1, 900), about: "Time limit of one attempt on Lambda, in seconds."},
		{key: "spark.emr_timeout_minutes", ptr: &sp.EMRTimeoutMinutes, check: between(1, 7*24*60), about: "Time limit of one attempt on EMR Serverless, in minutes. When it passes the job is cancelled."},
		{key: "spark.supervisor_arn", ptr: &sp.SupervisorARN, check: checkRuntime, about: "AgentCore runtime (`arn:aws:bedrock-agentcore:…:runtime/…`) that carries out runs in this server's place. Empty: this server does."},
		{key: keyRole, ptr: &sp.ExecutionRoleARN, check: checkRole, about: "IAM role of the jobs. Empty: the environment variable `EMR_EXECUTION_ROLE_ARN`, else the role `EMRServerlessExecutionRole` of the caller's account."},
		{key: "spark.standard_execution_role_arn", ptr: &sp.StandardExecutionRoleARN, check: checkRole, about: "IAM role of the jobs of `spark.emr_application_id`: they read no PostgreSQL, so this role needs no secrets. Empty: the role of the other jobs."},
		{key: "spark.region", ptr: &sp.Region, check: checkRegion, about: "AWS region. Empty: as the AWS SDK finds it (`AWS_REGION`, the profile)."},
		{key: "spark.executor_memory", ptr: &sp.ExecutorMemory, check: checkMemory, about: "Memory of a Spark executor on EMR Serverless."},
		{key: "spark.executor_cores", ptr: &sp.ExecutorCores, check: between(1, 16), about: "Cores of a Spark executor on EMR Serverless."},
		{key: "spark.emr_driver_memory", ptr: &sp.EMRDriverMemory, check: optional(checkMemory), about: "Memory of the Spark driver on EMR Serverless. Empty: its default."},
		{key: "spark.emr_driver_cores", ptr: &sp.EMRDriverCores, check: between(0, 16), about: "Cores of the Spark driver on EMR Serverless. 0: its default."},
		{key: "spark.log_group", ptr: &sp.LogGroup, check: checkLogGroup, about: "CloudWatch log group of the jobs. They log to `s3://BUCKET/logs/emr/` too."},
		{key: "spark.instance", ptr: &sp.Instance, check: checkInstance, about: "Begins the names of this installation's jobs, so that it never touches others' jobs in the same application. Servers that share a database share it. Empty: a random one, kept in the data directory."},

		{key: "postgres.default_connection", ptr: &pg.DefaultConnection, check: checkText, about: "Connection that is meant when none is named."},
		{key: "postgres.jdbc_driver_path", ptr: &pg.JDBCDriverPath, check: checkDriver, about: "S3 URL of the PostgreSQL JDBC driver, `s3://spark-data-ACCOUNT-REGION/jars/postgresql-42.7.8.jar`. EMR Serverless gets it with `--jars`."},
		{key: "postgres.secrets_manager_prefix", ptr: &pg.SecretsManagerPrefix, check: checkText, about: "Begins the names of the secrets that may be used and that are made. A request's `secret_arn` must lie under it."},
		{key: "postgres.connection_timeout", ptr: &pg.ConnectionTimeout, check: between(1, 600), about: "Time limit for connecting to PostgreSQL, in seconds."},
		{key: "postgres.query_timeout", ptr: &pg.QueryTimeout, check: between(1, 3600), about: "Time limit of a catalog query, in seconds."},
		{key: "postgres.use_dedicated_emr", ptr: &pg.UseDedicatedEMR, about: "Kept for the reference system's clients: PostgreSQL tables always use `spark.emr_postgres_application_id`."},
		{key: "postgres.secret_cache_seconds", ptr: &pg.SecretCacheSeconds, check: between(0, 3600), about: "How long the value of a secret is believed, in seconds. A refused login reads it again at once."},
		{key: "postgres.show_values", ptr: &pg.ShowValues, about: "Show most common values and ranges of columns, as PostgreSQL's statistics have them, in the page and the API."},

		{key: "global.bedrock_model", ptr: &gl.BedrockModel, check: checkText, about: "Model id, inference profile or ARN on Amazon Bedrock; also the model that a code generation agent is told to use."},
		{key: "global.code_gen_agent_arn", ptr: &gl.CodeGenAgent, check: checkText, about: "AgentCore runtime of a code generation agent, `arn:aws:bedrock-agentcore:…:runtime/…`."},
		{key: "global.bedrock_region", ptr: &gl.BedrockRegion, check: checkRegion, about: "Region of Amazon Bedrock."},

		{key: "ray_cluster.private_ip", ptr: &s.Ray.PrivateIP, check: checkText, about: "Kept for the reference system's clients; not used."},
		{key: "ray_cluster.public_ip", ptr: &s.Ray.PublicIP, check: checkText, about: "Kept for the reference system's clients; not used."},
		{key: "s3.bucket", ptr: &s.Ray.Bucket, check: checkText, about: "Kept for the reference system's clients; not used."},
		{key: "ray.gateway_url", ptr: &s.Ray.GatewayURL, check: checkText, about: "Kept for the reference system's clients; not used."},
		{key: "ray.supervisor_arn", ptr: &s.Ray.SupervisorARN, check: checkText, about: "Kept for the reference system's clients; not used."},

		{key: "results.dir", ptr: &s.Results.Dir, check: checkDir, about: "Directory for results of local runs. Empty: `results` in the data directory."},
		{key: "results.min_free_mb", ptr: &s.Results.MinFreeMB, check: between(0, 1<<30), about: "Free disk space below which no run is started, in MB."},
		{key: "results.keep_days", ptr: &s.Results.KeepDays, check: between(0, 36_500), about: "Age in days at which a run that is not pinned is removed with its result and logs. 0: never."},
		{key: "results.keep_mb", ptr: &s.Results.KeepMB, check: between(0, 1<<30), about: "Size of all results, in MB, above which the oldest runs that are not pinned are removed. 0: any."},
		{key: "definitions.dir", ptr: &s.Definitions.Dir, check: checkDir, about: "Directory with definitions of terms, metrics, filters, joins and verified answers, `*.yaml`. Empty: `definitions` in the data directory."},
		{key: "limits.question_chars", ptr: &s.Limits.QuestionChars, check: between(1, 100_000), about: "Longest question, in characters."},
		{key: "limits.queue_length", ptr: &s.Limits.QueueLength, check: between(1, 1_000_000), about: "Runs that may be under way or waiting at once; more are refused."},
		{key: "limits.session_runs", ptr: &s.Limits.SessionRuns, check: between(1, 1_000_000), about: "The same for one session."},
		{key: "limits.connect_runs", ptr: &s.Limits.ConnectRuns, check: between(1, 10_000), about: "Jobs at once on local Spark; more wait."},
		{key: "limits.batch_runs", ptr: &s.Limits.BatchRuns, check: between(1, 10_000), about: "Jobs at once by spark-submit; more wait."},
		{key: "limits.emr_runs", ptr: &s.Limits.EMRRuns, check: between(1, 10_000), about: "Jobs at once on EMR Serverless; more wait."},
		{key: "limits.lambda_runs", ptr: &s.Limits.LambdaRuns, check: between(1, 10_000), about: "Jobs at once on Lambda; more wait."},
		{key: "limits.result_mb", ptr: &s.Limits.ResultMB, check: between(1, 1<<30), about: "Largest result, in MB; a larger one fails its run."},
		{key: "limits.run_tokens", ptr: &s.Limits.RunTokens, check: between(0, 1<<30), about: "Model tokens of one run above which no repair is begun. 0: any number."},
		{key: "limits.run_seconds", ptr: &s.Limits.RunSeconds, check: between(0, 7*24*3600), about: "Seconds of one run after which no repair is begun. 0: any number."},
		{key: "limits.run_cents", ptr: &s.Limits.RunCents, check: between(0, 1<<30), about: "US cents of one run at the model above which no repair is begun, where `model.prices` knows the model. 0: any number."},
		{key: "limits.day_tokens", ptr: &s.Limits.DayTokens, check: between(0, 1<<40), about: "Model tokens of all runs of the last 24 hours above which no model is asked. 0: any number."},
		{key: "limits.run_read_rows", ptr: &s.Limits.RunReadRows, check: between(0, 1<<40), about: "Rows that a run on this machine may read of one database; one more ends it. 0: any number."},
		{key: "limits.run_read_mb", ptr: &s.Limits.RunReadMB, check: between(0, 1<<30), about: "The same in MB. 0: any number."},
		{key: "limits.statement_seconds", ptr: &s.Limits.StatementTime, check: between(0, 7*24*3600), about: "Seconds that PostgreSQL may take for one statement of a run on this machine. 0: any time."},
		{key: "limits.guard", ptr: &s.Limits.Guard, check: oneOf("warn", "refuse"), about: "What becomes of a run on this machine when PostgreSQL is over one of the next three: `warn` tells of it with the answer, `refuse` does not begin. The last free connections are never taken."},
		{key: "limits.guard_lag_seconds", ptr: &s.Limits.GuardLag, check: between(0, 7*24*3600), about: "Seconds that a standby is behind its primary. 0: any."},
		{key: "limits.guard_transaction_minutes", ptr: &s.Limits.GuardOpen, check: between(0, 7*24*60), about: "Minutes that another transaction has been open, as far as the login sees. 0: any."},
		{key: "limits.guard_statements", ptr: &s.Limits.GuardActive, check: between(0, 1_000_000), about: "Statements of others that are under way, as far as the login sees: the server's load. 0: any."},
		{key: "limits.check_cost", ptr: &s.Limits.CheckCost, check: between(1, 1<<40), about: "Cost by EXPLAIN up to which PostgreSQL is asked for the totals of an answer (the cross-check); below a tenth of it, while Spark is at work."},
		{key: "limits.check_seconds", ptr: &s.Limits.CheckSeconds, check: between(1, 3600), about: "Seconds that PostgreSQL may take for a cross-check; a longer one is given up."},
		{key: "limits.upload_mb", ptr: &s.Limits.UploadMB, check: between(1, 1024), about: "Largest file that can be uploaded, in MB."},
		{key: "limits.body_kb", ptr: &s.Limits.BodyKB, check: between(16, 2048), about: "Largest request below `/api/v1`, in kB."},
		{key: "limits.requests", ptr: &s.Limits.Requests, check: between(1, 100_000), about: "Requests below `/api/v1` that are served at once; more are refused for a moment."},
		{key: "limits.event_readers", ptr: &s.Limits.Readers, check: between(1, 100_000), about: "Connections that follow events of runs at once."},
		{key: "limits.client_event_readers", ptr: &s.Limits.ClientReaders, check: between(1, 100_000), about: "The same from one address."},
		{key: "limits.page_rows", ptr: &s.Limits.PageRows, check: between(1, 100_000), about: "Rows of one page of a result."},
		{key: "limits.result_cache_mb", ptr: &s.Limits.ResultCacheMB, check: between(1, 1<<30), about: "Size of the sorted and filtered results that are kept, in MB."},
		{key: "limits.client_requests", ptr: &s.Limits.ClientRate, check: between(1, 1_000_000), about: "Requests of one user, or of one address without a login, in a second; four times as many may come at once."},

		{key: "model.provider", ptr: &s.Model.Provider, check: oneOf("auto", "planner", "openai", "anthropic", "bedrock", "agentcore"), about: "What writes analyses: `planner` (built in), `openai` (any OpenAI-compatible server), `anthropic`, `bedrock`, or `agentcore` (a code generation agent). `auto` takes the first that is configured: `model.name`, `anthropic.model` with a key, `spark.supervisor_arn`, `global.code_gen_agent_arn`, `global.bedrock_model` with AWS credentials; else the planner. `sparkwright doctor` says which and why."},
		{key: "model.base_url", env: "OPENAI_BASE_URL", ptr: &s.Model.BaseURL, check: checkURL, about: "OpenAI-compatible server of the model. Empty: the provider's own."},
		{key: "model.name", env: "OPENAI_MODEL", ptr: &s.Model.Name, check: checkText, about: "Model of the OpenAI-compatible server. Nothing is sent to a server before a model has been named."},
		// Its environment variable holds the key itself: see applyEnv.
		{key: keyAPIKey, env: envAPIKey, ptr: &s.Model.APIKey, check: checkReference, about: "Reference to the model's key: `env:NAME`, `file:PATH` or `aws-sm:ARN`. The environment variable holds the key itself."},
		{key: "model.timeout_seconds", ptr: &s.Model.TimeoutSeconds, check: between(1, 3600), about: "Time limit of one call of the model, in seconds."},
		{key: "model.idle_seconds", ptr: &s.Model.IdleSeconds, check: between(1, 3600), about: "Longest silence of a model once its reply has begun, in seconds."},
		{key: "model.max_tokens", ptr: &s.Model.MaxTokens, check: between(256, 1_000_000), about: "Longest reply of the model, in tokens, its reasoning included where the provider counts it."},
		{key: "model.schema_tokens", ptr: &s.Model.SchemaTokens, check: between(500, 1_000_000), about: "Size of the description of the tables in a prompt, in tokens (estimated: 3 bytes each). Of larger databases the tables and columns that matter for the question are described."},
		{key: "model.share_values", ptr: &s.Model.ShareValues, check: oneOf("none", "enums", "common"), about: "What of values a prompt may hold. `none`: nothing. `enums`: labels of enum types, first and last month of dates. `common`: also most common values of text columns, from the statistics. Rows are never sent."},
		{key: "model.prices", ptr: &s.Model.Prices, check: checkPrices, about: "US dollars for a million tokens, in and out, by the model's name as runs show it: `anthropic:claude-*=3/15, openai:gpt-4.1-mini=0.4/1.6`. The first that fits counts. Empty: costs are not known."},

		{key: "anthropic.base_url", env: "ANTHROPIC_BASE_URL", ptr: &s.Anthropic.BaseURL, check: checkURL, about: "Server of the Messages API. Empty: Anthropic's own."},
		{key: "anthropic.model", env: "ANTHROPIC_MODEL", ptr: &s.Anthropic.Model, check: checkText, about: "Model at Anthropic."},
		{key: keyAnthropicKey, env: envAnthropicKey, ptr: &s.Anthropic.APIKey, check: checkReference, about: "Reference to the key for Anthropic: `env:NAME`, `file:PATH` or `aws-sm:ARN`. The environment variable holds the key itself."},

		{key: "database.url", ptr: &s.Database.URL, check: checkDatabase, about: "PostgreSQL that several servers share: a postgresql:// URL, or a reference to a secret that holds one. Empty: a SQLite file in the data directory."},
		{key: "auth.oidc_issuer", ptr: &s.Auth.OIDCIssuer, check: checkURL, about: "OpenID Connect provider that people log in with. Empty: only the token of this installation counts."},
		{key: "auth.oidc_client_id", ptr: &s.Auth.OIDCClientID, check: checkText, about: "Name of this server at the provider. Its redirect address is `/auth/callback` below `serve --public-url`."},
		{key: keyOIDCSecret, ptr: &s.Auth.OIDCClientSecret, check: checkReference, about: "Reference to the client's secret: `env:NAME`, `file:PATH` or `aws-sm:ARN`. Empty: a public client; PKCE is used in either case."},
		{key: "auth.oidc_role_claim", ptr: &s.Auth.OIDCRoleClaim, check: checkText, about: "Claim of the ID token that holds roles or groups."},
		{key: "auth.oidc_admins", ptr: &s.Auth.OIDCAdmins, check: checkText, about: "Values of that claim, or verified e-mail addresses, of administrators, with commas between."},
		{key: "auth.oidc_analysts", ptr: &s.Auth.OIDCAnalysts, check: checkText, about: "The same for analysts: they ask questions and keep connections of their own."},
		{key: "auth.oidc_viewers", ptr: &s.Auth.OIDCViewers, check: checkText, about: "The same for viewers: they look."},
		{key: "auth.oidc_default_role", ptr: &s.Auth.OIDCDefaultRole, check: checkRoleName, about: "Role of everybody else whom the provider knows: `viewer`, `analyst` or `admin`. Empty: they may not log in."},
		{key: "auth.session_hours", ptr: &s.Auth.SessionHours, check: between(1, 24*30), about: "How long a login of the page lasts, in hours."},
		{key: "network.private_addresses", ptr: &s.Network.PrivateAddresses, about: "Whether users who are not administrators may make connections to loopback and private addresses. Link-local and metadata addresses nobody can."},
		{key: "runtime.python", env: "SPARKWRIGHT_PYTHON", ptr: &s.Runtime.Python, check: checkText, about: "Python interpreter for the local runtime. Empty: the first suitable one on PATH."},
		{key: "runtime.maven_url", env: "SPARKWRIGHT_MAVEN_URL", ptr: &s.Runtime.MavenURL, check: checkURL, about: "Maven repository that jars are taken from."},
	}
}

const (
	keyAPIKey       = "model.api_key"     //nolint:gosec // the name of a key, not a key
	envAPIKey       = "OPENAI_API_KEY"    //nolint:gosec // the name of a variable
	keyAnthropicKey = "anthropic.api_key" //nolint:gosec // the name of a key, not a key
	envAnthropicKey = "ANTHROPIC_API_KEY"
	keyOIDCSecret   = "auth.oidc_client_secret" //nolint:gosec // the name of a key, not a secret
	keyConnections  = "postgres.connections"
	keyRole         = "spark.execution_role_arn"
	envRole         = "EMR_EXECUTION_ROLE_ARN"
)

var (
	sparkMaster  = regexp.MustCompile(`^(local|local\[(\*|[1-9][0-9]{0,3})\]|yarn|(spark|k8s)://[!-~]+)$`)
	sparkRemote  = regexp.MustCompile(`^sc://[!-~]+$`)
	memorySize   = regexp.MustCompile(`^[1-9][0-9]{0,8}[mgt]$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	secretARN    = regexp.MustCompile(`^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]+:secret:\S+$`)
)

// variable is the environment variable that overrides the key.
func (f field) variable() string {
	if f.env != "" {
		return f.env
	}
	return "SPARKWRIGHT_" + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
}

func (f field) get() any {
	switch p := f.ptr.(type) {
	case *string:
		return *p
	case *int:
		return *p
	case *bool:
		return *p
	default:
		panic("settings: key " + f.key + " has an unknown type")
	}
}

// set stores a value of the type that kind names; the caller has seen to it.
func (f field) set(value any) {
	switch p := f.ptr.(type) {
	case *string:
		*p = value.(string)
	case *int:
		*p = value.(int)
	case *bool:
		*p = value.(bool)
	}
}

func (f field) kind() string {
	switch f.ptr.(type) {
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	default:
		return "text"
	}
}

// validate checks every single value and every connection, as they would be
// written.
func (s *Settings) validate() error {
	for _, f := range fields(s) {
		if f.check == nil {
			continue
		}
		if must := f.check(f.get()); must != "" {
			return invalid(f.key, must)
		}
	}
	for i := range s.Postgres.Connections {
		if err := s.Postgres.Connections[i].validate(connectionKey(i)); err != nil {
			return err
		}
	}
	return nil
}

func invalid(key, must string) error {
	return &sparkwright.Error{
		Code:    sparkwright.CodeInvalid,
		Message: "the setting " + key + " " + must,
		Remedy:  "correct " + key + " in " + FileName,
	}
}

func between(low, high int) func(any) string {
	return func(value any) string {
		if n, ok := value.(int); !ok || n < low || n > high {
			return "must be a whole number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high)
		}
		return ""
	}
}

func oneOf(words ...string) func(any) string {
	return func(value any) string {
		if text, _ := value.(string); !slices.Contains(words, text) {
			return "must be one of " + strings.Join(words, ", ")
		}
		return ""
	}
}

func checkText(value any) string {
	text, _ := value.(string)
	if len(text) > 2048 {
		return "must not be longer than 2048 bytes"
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "must not contain control characters"
	}
	return ""
}

func checkRoleName(value any) string {
	switch value {
	case "", "viewer", "analyst", "admin":
		return ""
	}
	return "must be viewer, analyst or admin, or empty"
}

func checkDir(value any) string {
	if text, _ := value.(string); text != "" && !filepath.IsAbs(text) {
		return "must be an absolute path, or empty"
	}
	return checkText(value)
}

func checkURL(value any) string {
	text, _ := value.(string)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return "must be an http:// or https:// URL"
	case u.User != nil:
		return "must not contain a user name or password"
	case u.RawQuery != "" || u.Fragment != "":
		return "must not contain a query or a fragment"
	}
	return checkText(value)
}

// checkDatabase accepts no password in the file: a URL that has one belongs
// into a secret.
func checkDatabase(value any) string {
	text, _ := value.(string)
	if text == "" || isReference(text) {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgresql" && u.Scheme != "postgres") || u.Host == "" {
		return "must be a postgresql:// URL, or a reference to a secret that holds one (env:NAME, file:PATH or aws-sm:ARN)"
	}
	if _, has := u.User.Password(); has {
		return "must not contain a password; put the whole URL into a secret and name that (env:NAME, file:PATH or aws-sm:ARN)"
	}
	return checkText(value)
}

func checkMaster(value any) string {
	text, _ := value.(string)
	if !sparkMaster.MatchString(text) {
		return "must be local, local[N], local[*], spark://HOST:PORT, k8s://URL or yarn"
	}
	return ""
}

func checkRemote(value any) string {
	text, _ := value.(string)
	if text != "" && !sparkRemote.MatchString(text) {
		return "must be sc://HOST:PORT, or empty"
	}
	return ""
}

func checkMemory(value any) string {
	text, _ := value.(string)
	if !memorySize.MatchString(text) {
		return "must be a size like 512m or 2g"
	}
	return ""
}

func checkReference(value any) string {
	text, _ := value.(string)
	if text == "" || isReference(text) {
		return ""
	}
	return "must be a reference to a secret (env:NAME, file:PATH or aws-sm:ARN), never the secret itself"
}

// isReference reports whether text refers to a secret.
func isReference(text string) bool {
	kind, name, found := strings.Cut(text, ":")
	if !found || strings.ContainsFunc(name, unicode.IsControl) || len(name) > 2048 {
		return false
	}
	switch kind {
	case "env":
		return variableName.MatchString(name)
	case "file":
		return name != ""
	case "aws-sm":
		return secretARN.MatchString(name)
	default:
		return false
	}
}
