package settings

import (
	"net/url"
	"path/filepath"
	"regexp"
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
}

// fields lists every key with a single value. The check tells what a value
// must be, or "".
func fields(s *Settings) []field {
	sp, pg, gl := &s.Spark, &s.Postgres, &s.Global
	return []field{
		{key: "spark.master", ptr: &sp.Master, check: checkMaster},
		{key: "spark.remote", ptr: &sp.Remote, check: checkRemote},
		{key: "spark.driver_memory", ptr: &sp.DriverMemory, check: checkMemory},
		{key: "spark.attempt_timeout_seconds", ptr: &sp.AttemptTimeoutSeconds, check: between(1, 7*24*3600)},
		{key: "spark.client_memory_mb", ptr: &sp.ClientMemoryMB, check: between(256, 1<<20)},
		{key: "spark.pool_size", ptr: &sp.PoolSize, check: between(0, 64)},
		{key: "spark.result_preview_rows", ptr: &sp.ResultPreviewRows, check: between(0, 10000)},
		{key: "spark.s3_bucket", ptr: &sp.S3Bucket, check: checkText},
		{key: "spark.lambda_function", ptr: &sp.LambdaFunction, check: checkText},
		{key: "spark.emr_application_id", ptr: &sp.EMRApplicationID, check: checkText},
		{key: "spark.emr_postgres_application_id", ptr: &sp.EMRPostgresApplicationID, check: checkText},
		{key: "spark.max_retries", ptr: &sp.MaxRetries, check: between(0, 10)},
		{key: "spark.file_size_threshold_mb", ptr: &sp.FileSizeThresholdMB, check: between(0, 1<<30)},
		{key: "spark.presigned_url_expiry_hours", ptr: &sp.PresignedURLExpiryHours, check: between(1, 168)},
		{key: "spark.lambda_timeout_seconds", ptr: &sp.LambdaTimeoutSeconds, check: between(1, 900)},
		{key: "spark.emr_timeout_minutes", ptr: &sp.EMRTimeoutMinutes, check: between(1, 7*24*60)},
		{key: "spark.supervisor_arn", ptr: &sp.SupervisorARN, check: checkText},

		{key: "postgres.default_connection", ptr: &pg.DefaultConnection, check: checkText},
		{key: "postgres.jdbc_driver_path", ptr: &pg.JDBCDriverPath, check: checkText},
		{key: "postgres.secrets_manager_prefix", ptr: &pg.SecretsManagerPrefix, check: checkText},
		{key: "postgres.connection_timeout", ptr: &pg.ConnectionTimeout, check: between(1, 600)},
		{key: "postgres.query_timeout", ptr: &pg.QueryTimeout, check: between(1, 3600)},
		{key: "postgres.use_dedicated_emr", ptr: &pg.UseDedicatedEMR},

		{key: "global.bedrock_model", ptr: &gl.BedrockModel, check: checkText},
		{key: "global.code_gen_agent_arn", ptr: &gl.CodeGenAgent, check: checkText},
		{key: "global.bedrock_region", ptr: &gl.BedrockRegion, check: checkText},

		{key: "results.dir", ptr: &s.Results.Dir, check: checkDir},
		{key: "results.min_free_mb", ptr: &s.Results.MinFreeMB, check: between(0, 1<<30)},
		{key: "limits.question_chars", ptr: &s.Limits.QuestionChars, check: between(1, 100_000)},

		{key: "model.base_url", env: "OPENAI_BASE_URL", ptr: &s.Model.BaseURL, check: checkURL},
		{key: "model.name", env: "OPENAI_MODEL", ptr: &s.Model.Name, check: checkText},
		// Its environment variable holds the key itself: see applyEnv.
		{key: keyAPIKey, env: envAPIKey, ptr: &s.Model.APIKey, check: checkReference},
		{key: "model.timeout_seconds", ptr: &s.Model.TimeoutSeconds, check: between(1, 3600)},

		{key: "runtime.python", env: "SPARKWRIGHT_PYTHON", ptr: &s.Runtime.Python, check: checkText},
		{key: "runtime.maven_url", env: "SPARKWRIGHT_MAVEN_URL", ptr: &s.Runtime.MavenURL, check: checkURL},
	}
}

const (
	keyAPIKey      = "model.api_key"  //nolint:gosec // the name of a key, not a key
	envAPIKey      = "OPENAI_API_KEY" //nolint:gosec // the name of a variable
	keyConnections = "postgres.connections"
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
