package emrserverless

import (
	"encoding/json"
	"net/http"
	"time"
)

// The states of a job run.
const (
	Submitted  = "SUBMITTED"
	Pending    = "PENDING"
	Queued     = "QUEUED"
	Scheduled  = "SCHEDULED"
	Running    = "RUNNING"
	Success    = "SUCCESS"
	Failed     = "FAILED"
	Cancelling = "CANCELLING"
	Cancelled  = "CANCELLED"
)

// The states of an application.
const (
	appCreated    = "CREATED"
	appStarting   = "STARTING"
	appStarted    = "STARTED"
	appStopping   = "STOPPING"
	appStopped    = "STOPPED"
	appTerminated = "TERMINATED"
)

// apiError is an error of the service: a name of its model and the HTTP status.
type apiError struct {
	status  int
	name    string
	message string
}

func (e *apiError) Error() string { return e.name + ": " + e.message }

func invalid(message string) error {
	return &apiError{http.StatusBadRequest, "ValidationException", message}
}

func notFound(kind, id string) error {
	return &apiError{http.StatusNotFound, "ResourceNotFoundException", kind + " " + id + " does not exist"}
}

func conflict(message string) error {
	return &apiError{http.StatusConflict, "ConflictException", message}
}

// number is a time as the service writes it: seconds since 1970.
type number float64

func epoch(t time.Time) *number {
	if t.IsZero() {
		return nil
	}
	n := number(float64(t.UnixMilli()) / 1000)
	return &n
}

// applicationInput is the body of CreateApplication and UpdateApplication.
// What the emulator only keeps and hands back stays as it came.
type applicationInput struct {
	Name         *string           `json:"name,omitempty"`
	ReleaseLabel *string           `json:"releaseLabel,omitempty"`
	Type         *string           `json:"type,omitempty"`
	Architecture *string           `json:"architecture,omitempty"`
	ClientToken  string            `json:"clientToken,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`

	AutoStart *struct {
		Enabled *bool `json:"enabled,omitempty"`
	} `json:"autoStartConfiguration,omitempty"`
	AutoStop *struct {
		Enabled            *bool `json:"enabled,omitempty"`
		IdleTimeoutMinutes *int  `json:"idleTimeoutMinutes,omitempty"`
	} `json:"autoStopConfiguration,omitempty"`
	Network *struct {
		SubnetIDs        []string `json:"subnetIds,omitempty"`
		SecurityGroupIDs []string `json:"securityGroupIds,omitempty"`
	} `json:"networkConfiguration,omitempty"`
	Scheduler *struct {
		MaxConcurrentRuns   *int `json:"maxConcurrentRuns,omitempty"`
		QueueTimeoutMinutes *int `json:"queueTimeoutMinutes,omitempty"`
	} `json:"schedulerConfiguration,omitempty"`
	Monitoring *monitoring `json:"monitoringConfiguration,omitempty"`

	InitialCapacity          json.RawMessage `json:"initialCapacity,omitempty"`
	MaximumCapacity          json.RawMessage `json:"maximumCapacity,omitempty"`
	ImageConfiguration       json.RawMessage `json:"imageConfiguration,omitempty"`
	WorkerTypeSpecifications json.RawMessage `json:"workerTypeSpecifications,omitempty"`
	RuntimeConfiguration     json.RawMessage `json:"runtimeConfiguration,omitempty"`
	InteractiveConfiguration json.RawMessage `json:"interactiveConfiguration,omitempty"`
}

// monitoring is monitoringConfiguration.
type monitoring struct {
	S3 *struct {
		LogURI           string `json:"logUri,omitempty"`
		EncryptionKeyARN string `json:"encryptionKeyArn,omitempty"`
	} `json:"s3MonitoringConfiguration,omitempty"`
	CloudWatch *struct {
		Enabled             bool                `json:"enabled"`
		LogGroupName        string              `json:"logGroupName,omitempty"`
		LogStreamNamePrefix string              `json:"logStreamNamePrefix,omitempty"`
		EncryptionKeyARN    string              `json:"encryptionKeyArn,omitempty"`
		LogTypes            map[string][]string `json:"logTypes,omitempty"`
	} `json:"cloudWatchLoggingConfiguration,omitempty"`
	Managed    json.RawMessage `json:"managedPersistenceMonitoringConfiguration,omitempty"`
	Prometheus json.RawMessage `json:"prometheusMonitoringConfiguration,omitempty"`
}

// classification is one entry of applicationConfiguration.
type classification struct {
	Classification string            `json:"classification"`
	Properties     map[string]string `json:"properties,omitempty"`
	Configurations []classification  `json:"configurations,omitempty"`
}

type overrides struct {
	Application []classification `json:"applicationConfiguration,omitempty"`
	Monitoring  *monitoring      `json:"monitoringConfiguration,omitempty"`
	Disk        json.RawMessage  `json:"diskEncryptionConfiguration,omitempty"`
}

type sparkSubmit struct {
	EntryPoint          string   `json:"entryPoint"`
	EntryPointArguments []string `json:"entryPointArguments,omitempty"`
	Parameters          string   `json:"sparkSubmitParameters,omitempty"`
}

type jobDriver struct {
	SparkSubmit *sparkSubmit    `json:"sparkSubmit,omitempty"`
	Hive        json.RawMessage `json:"hive,omitempty"`
}

type rolePolicy struct {
	Policy     string   `json:"policy,omitempty"`
	PolicyARNs []string `json:"policyArns,omitempty"`
}

type retryPolicy struct {
	MaxAttempts              *int `json:"maxAttempts,omitempty"`
	MaxFailedAttemptsPerHour *int `json:"maxFailedAttemptsPerHour,omitempty"`
}

// startInput is the body of StartJobRun.
type startInput struct {
	ClientToken      string            `json:"clientToken"`
	ExecutionRoleARN string            `json:"executionRoleArn"`
	ExecutionPolicy  *rolePolicy       `json:"executionIamPolicy,omitempty"`
	Driver           *jobDriver        `json:"jobDriver,omitempty"`
	Overrides        *overrides        `json:"configurationOverrides,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	TimeoutMinutes   *int              `json:"executionTimeoutMinutes,omitempty"`
	Name             string            `json:"name,omitempty"`
	Mode             string            `json:"mode,omitempty"`
	Retry            *retryPolicy      `json:"retryPolicy,omitempty"`
}

// applicationOutput is an application as GetApplication tells it.
type applicationOutput struct {
	applicationInput
	ID           string  `json:"applicationId"`
	ARN          string  `json:"arn"`
	State        string  `json:"state"`
	StateDetails string  `json:"stateDetails,omitempty"`
	CreatedAt    *number `json:"createdAt"`
	UpdatedAt    *number `json:"updatedAt"`
}

// applicationSummary is an application as ListApplications tells it.
type applicationSummary struct {
	ID           string  `json:"id"`
	Name         string  `json:"name,omitempty"`
	ARN          string  `json:"arn"`
	ReleaseLabel string  `json:"releaseLabel"`
	Type         string  `json:"type"`
	State        string  `json:"state"`
	StateDetails string  `json:"stateDetails,omitempty"`
	Architecture string  `json:"architecture,omitempty"`
	CreatedAt    *number `json:"createdAt"`
	UpdatedAt    *number `json:"updatedAt"`
}

// jobOutput is a job run as GetJobRun tells it.
type jobOutput struct {
	Application     string             `json:"applicationId"`
	ID              string             `json:"jobRunId"`
	Name            string             `json:"name,omitempty"`
	ARN             string             `json:"arn"`
	CreatedBy       string             `json:"createdBy"`
	CreatedAt       *number            `json:"createdAt"`
	UpdatedAt       *number            `json:"updatedAt"`
	StartedAt       *number            `json:"startedAt,omitempty"`
	EndedAt         *number            `json:"endedAt,omitempty"`
	ExecutionRole   string             `json:"executionRole"`
	ExecutionPolicy *rolePolicy        `json:"executionIamPolicy,omitempty"`
	State           string             `json:"state"`
	StateDetails    string             `json:"stateDetails"`
	ReleaseLabel    string             `json:"releaseLabel"`
	Overrides       *overrides         `json:"configurationOverrides,omitempty"`
	Driver          *jobDriver         `json:"jobDriver,omitempty"`
	Tags            map[string]string  `json:"tags,omitempty"`
	Network         any                `json:"networkConfiguration,omitempty"`
	Utilization     map[string]float64 `json:"totalResourceUtilization,omitempty"`
	Billed          map[string]float64 `json:"billedResourceUtilization,omitempty"`
	Seconds         *int               `json:"totalExecutionDurationSeconds,omitempty"`
	TimeoutMinutes  int                `json:"executionTimeoutMinutes"`
	Mode            string             `json:"mode"`
	Retry           *retryPolicy       `json:"retryPolicy,omitempty"`
	Attempt         int                `json:"attempt"`
	AttemptCreated  *number            `json:"attemptCreatedAt,omitempty"`
	AttemptUpdated  *number            `json:"attemptUpdatedAt,omitempty"`
	QueuedMillis    int64              `json:"queuedDurationMilliseconds"`
}

// jobSummary is a job run as ListJobRuns and ListJobRunAttempts tell it. The
// id has other names there than in GetJobRun.
type jobSummary struct {
	Application    string  `json:"applicationId"`
	ID             string  `json:"id"`
	Name           string  `json:"name,omitempty"`
	Mode           string  `json:"mode,omitempty"`
	ARN            string  `json:"arn"`
	CreatedBy      string  `json:"createdBy"`
	CreatedAt      *number `json:"createdAt"`
	UpdatedAt      *number `json:"updatedAt"`
	ExecutionRole  string  `json:"executionRole"`
	State          string  `json:"state"`
	StateDetails   string  `json:"stateDetails"`
	ReleaseLabel   string  `json:"releaseLabel"`
	Type           string  `json:"type"`
	Attempt        int     `json:"attempt"`
	AttemptCreated *number `json:"attemptCreatedAt,omitempty"`
	AttemptUpdated *number `json:"attemptUpdatedAt,omitempty"`
	JobCreatedAt   *number `json:"jobCreatedAt,omitempty"` // attempts only
	StartedAt      *number `json:"startedAt,omitempty"`    // attempts only
	EndedAt        *number `json:"endedAt,omitempty"`      // attempts only
}
