// Package settings reads and writes settings.json, the one file that holds
// what a person has configured: where Spark runs, which databases can be
// asked, which model writes code.
//
// A value comes from the environment, else from the file, else from the
// defaults. The file is written only by Update, under a lock that other
// processes respect too, and is replaced as a whole: a reader sees the old
// file or the new one. Keys that this program does not know are kept and
// reported in Settings.Warnings. A file that cannot be read is an error and is
// never replaced. What came from the environment is never written.
//
// The file never holds a secret, only references to secrets: "env:NAME",
// "file:PATH" or "aws-sm:ARN".
package settings

import (
	"os"
	"path/filepath"

	"github.com/sparkwright/sparkwright"
)

// FileName is the name of the file in the data directory.
const FileName = "settings.json"

// Settings are all values, with defaults and environment applied. The zero
// value is not useful: use Load, or Default.
type Settings struct {
	Spark       Spark
	Postgres    Postgres
	Global      Global
	Ray         Ray
	Results     Results
	Definitions Definitions
	Limits      Limits
	Model       Model
	Runtime     Runtime
	Database    Database
	Auth        Auth
	Network     Network

	Anthropic Anthropic

	// Warnings are findings that do not stop the program: unknown keys,
	// connections of the same name. One sentence each, with the exact key.
	Warnings []string

	home string
	doc  map[string]any // the file as it was read, unknown keys included
}

// Spark is where and how jobs run. The keys from S3Bucket on are those of the
// reference system and serve the executors in AWS.
type Spark struct {
	Master                string // of the local Spark Connect server: local[*], spark://…, k8s://…, yarn
	Remote                string // sc://… of a server that is not ours; "" = start one
	DriverMemory          string // of the local server: 2g
	AttemptTimeoutSeconds int
	ClientMemoryMB        int // limit of one Python client process
	PoolSize              int // client processes that are kept ready
	KeepWarmSeconds       int // how long a command's server waits for the next command
	ResultPreviewRows     int
	LocalS3MB             int    // of one table in S3 that is copied to be read on this machine
	Prices                string // of places in AWS; see ParsePrices
	Engine                string // auto or spark
	DirectCost            int    // of EXPLAIN, up to which PostgreSQL answers by itself
	DirectSeconds         int    // that it may take then

	S3Bucket                 string
	LambdaFunction           string
	EMRApplicationID         string
	EMRPostgresApplicationID string
	MaxRetries               int // repairs of a failed analysis
	FileSizeThresholdMB      int
	PresignedURLExpiryHours  int
	LambdaTimeoutSeconds     int
	EMRTimeoutMinutes        int
	SupervisorARN            string

	ExecutionRoleARN         string // of the job; see Settings.LoadEnv for its other source
	StandardExecutionRoleARN string // of the standard application's jobs; "" = ExecutionRoleARN
	Region                   string // of AWS; "" = as the AWS SDK finds it
	ExecutorMemory           string // of a Spark executor on EMR Serverless: 4g
	ExecutorCores            int
	EMRDriverMemory          string // "" = what EMR Serverless gives a driver
	EMRDriverCores           int    // 0 = what EMR Serverless gives a driver
	LogGroup                 string // CloudWatch log group of the jobs
	Instance                 string // names this installation's jobs; "" = see Instance
}

// Postgres holds the connections and what is common to them.
type Postgres struct {
	Connections          []Connection
	DefaultConnection    string
	JDBCDriverPath       string
	SecretsManagerPrefix string
	ConnectionTimeout    int // seconds
	QueryTimeout         int // seconds, for catalog queries
	UseDedicatedEMR      bool
	SecretCacheSeconds   int  // how long a secret's value is believed
	ShowValues           bool // that statistics hold, to those who look at tables
}

// Global holds the keys of the reference system's group of that name.
type Global struct {
	BedrockModel  string
	CodeGenAgent  string
	BedrockRegion string
}

// Ray holds what clients of the reference system configure for Ray. It is kept
// and shown to them; nothing uses it.
type Ray struct {
	PrivateIP     string
	PublicIP      string
	Bucket        string
	GatewayURL    string
	SupervisorARN string
}

// Results is where results are kept.
type Results struct {
	Dir       string // "" = results in the data directory; see Settings.ResultsDir
	MinFreeMB int    // below it no run is started
	KeepDays  int    // age at which a run and its result are removed; 0 = never
	KeepMB    int    // size of all results above which the oldest are removed; 0 = any
}

// Definitions is where it is said what words mean.
type Definitions struct {
	Dir string // "" = definitions in the data directory
}

// Limits bound what is accepted from users.
type Limits struct {
	QuestionChars int
	UploadMB      int // of one uploaded file
	QueueLength   int // runs that may be open at once
	SessionRuns   int // the same for one session
	ConnectRuns   int // attempts at once, by executor
	BatchRuns     int
	EMRRuns       int
	LambdaRuns    int
	ResultMB      int    // size of one result
	RunTokens     int    // that a run may use at the model; no repair is begun above it
	RunSeconds    int    // after which no repair is begun
	RunCents      int    // US cents at the model above which no repair is begun; 0 = any
	DayTokens     int    // of all runs of 24 hours; no model is asked above it; 0 = any
	RunReadRows   int    // that a run may read of a database; 0 = any number
	RunReadMB     int    // the same in MB
	StatementTime int    // seconds that one statement of a run may take; 0 = any time
	Guard         string // warn or refuse, where a server is over one of the next three
	GuardLag      int    // seconds that a standby is behind; 0 = any
	GuardOpen     int    // minutes that another transaction has been open; 0 = any
	GuardActive   int    // statements of others under way; 0 = any
	CheckCost     int    // of EXPLAIN, for the cross-check of an answer
	CheckSeconds  int    // the same in time
	BodyKB        int    // of a request
	Requests      int    // served at once
	Readers       int    // connections that follow events, in all
	ClientReaders int    // the same, of one address
	PageRows      int    // of one page of a result
	ResultCacheMB int    // of sorted and filtered results
	ClientRate    int    // requests of one client in a second
}

// Auth is who may use the server, beside who holds its token.
type Auth struct {
	OIDCIssuer       string // "" = no OpenID Connect
	OIDCClientID     string
	OIDCClientSecret string // a reference; "" = a public client
	OIDCRoleClaim    string
	OIDCAdmins       string // values of the claim or e-mail addresses, with commas between
	OIDCAnalysts     string
	OIDCViewers      string
	OIDCDefaultRole  string // "" = nobody but those
	SessionHours     int
}

// Network is what connections may lead to.
type Network struct {
	// PrivateAddresses lets users who are not administrators make connections to
	// loopback and private addresses.
	PrivateAddresses bool
}

// Database is where runs, sessions and what belongs to them are kept.
type Database struct {
	// URL is a postgresql:// URL that several servers may share, or a reference
	// to a secret that holds one. "" = a SQLite file in the data directory.
	URL string
}

// Model is which model writes analyses, and within what limits. BaseURL, Name
// and APIKey are of an OpenAI-compatible server; the other providers have keys
// of their own.
type Model struct {
	Provider       string // auto, planner, openai, anthropic, bedrock, agentcore
	BaseURL        string // "" = the provider's own
	Name           string
	APIKey         string // a reference to the key, never the key; "" = none
	TimeoutSeconds int
	IdleSeconds    int    // longest silence once a reply has begun
	MaxTokens      int    // of one reply
	SchemaTokens   int    // of the description of the tables in a prompt
	ShareValues    string // what of values a prompt may hold: none, enums, common
	Prices         string // see ParsePrices
}

// Anthropic is how to reach a model at Anthropic.
type Anthropic struct {
	BaseURL string // "" = Anthropic's own
	Model   string
	APIKey  string // a reference to the key, never the key
}

// Runtime is what the private Python environment is made from.
type Runtime struct {
	Python   string // interpreter; "" = the first suitable one on PATH
	MavenURL string
}

// Default returns the settings of an empty file and an empty environment.
func Default() *Settings {
	return &Settings{
		Spark: Spark{
			Master: "local[*]", DriverMemory: "2g", AttemptTimeoutSeconds: 600, LocalS3MB: 1024,
			ClientMemoryMB: 2048, PoolSize: 2, KeepWarmSeconds: 600, ResultPreviewRows: 100, Prices: "emrserverless=0.052624/0.0057785, lambda=0/0.06", Engine: "auto", DirectCost: 20_000, DirectSeconds: 10,
			MaxRetries: 3, FileSizeThresholdMB: 100, PresignedURLExpiryHours: 24,
			LambdaTimeoutSeconds: 300, EMRTimeoutMinutes: 10,
			ExecutorMemory: "4g", ExecutorCores: 2, LogGroup: "/aws/emr-serverless",
		},
		Postgres: Postgres{ //nolint:gosec // a prefix of names, not a secret
			SecretsManagerPrefix: "spark/postgres/", ConnectionTimeout: 10,
			QueryTimeout: 30, UseDedicatedEMR: true, SecretCacheSeconds: 300, ShowValues: true,
		},
		Global:  Global{BedrockRegion: "us-east-1"},
		Results: Results{MinFreeMB: 200, KeepDays: 30, KeepMB: 20_480},
		Limits: Limits{
			QuestionChars: 4000, UploadMB: 32, QueueLength: 500, SessionRuns: 10, ConnectRuns: 4, BatchRuns: 2, EMRRuns: 15, LambdaRuns: 15,
			ResultMB: 2048, RunTokens: 200_000, RunSeconds: 1800, CheckCost: 2_000_000, Guard: "warn", GuardLag: 10, GuardOpen: 60, GuardActive: 100, CheckSeconds: 10,
			BodyKB: 1024, Requests: 256, Readers: 4000, ClientReaders: 64, PageRows: 10_000, ResultCacheMB: 2048, ClientRate: 100,
		},
		Auth:    Auth{OIDCRoleClaim: "roles", SessionHours: 12},
		Model:   Model{Provider: "auto", TimeoutSeconds: 120, IdleSeconds: 60, MaxTokens: 8000, SchemaTokens: 4000, ShareValues: "enums"},
		Runtime: Runtime{MavenURL: "https://repo1.maven.org/maven2"},
	}
}

// Home returns the data directory: SPARKWRIGHT_HOME, else sparkwright in
// XDG_DATA_HOME, else ~/.local/share/sparkwright. It does not create it.
func Home() (string, error) {
	if dir := os.Getenv("SPARKWRIGHT_HOME"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", noHome(err)
		}
		return abs, nil
	}
	// The XDG specification has relative paths ignored.
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sparkwright"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil || user == "" {
		return "", noHome(err)
	}
	return filepath.Join(user, ".local", "share", "sparkwright"), nil
}

func noHome(err error) error {
	return &sparkwright.Error{
		Code:    sparkwright.CodeInvalid,
		Message: "there is no place for the data directory",
		Because: "neither SPARKWRIGHT_HOME, XDG_DATA_HOME nor HOME tells where it is",
		Remedy:  "set SPARKWRIGHT_HOME to a directory that you can write to",
		Err:     err,
	}
}

// ResultsDir returns the directory for results.
func (s *Settings) ResultsDir() string {
	if s.Results.Dir != "" {
		return s.Results.Dir
	}
	return filepath.Join(s.home, "results")
}

// RestoreDefaults sets every key back to its default. Connections and unknown
// keys stay.
func (s *Settings) RestoreDefaults() {
	def := Default()
	def.Postgres.Connections = s.Postgres.Connections
	def.Warnings, def.home, def.doc = s.Warnings, s.home, s.doc
	*s = *def
}
