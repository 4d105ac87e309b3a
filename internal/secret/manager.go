package secret

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

const managerPrefix = "aws-sm:"

// Manager keeps the secrets of connections in AWS Secrets Manager, under a
// prefix of names.
type Manager struct {
	client *secretsmanager.Client
	prefix string
}

// NewManager returns a Manager. prefix begins the names of its secrets:
// "spark/postgres/".
func NewManager(cfg aws.Config, prefix string) *Manager {
	return &Manager{client: secretsmanager.NewFromConfig(cfg), prefix: prefix}
}

// Keep stores a secret of a connection as PREFIX{connection}-{8 hex} and
// returns its reference. Every call makes a new secret: what uses the old one
// is not disturbed.
func (m *Manager) Keep(ctx context.Context, connection string, content []byte) (string, error) {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	name := m.prefix + connection + "-" + hex.EncodeToString(random[:])
	out, err := m.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, Description: aws.String("PostgreSQL connection for " + connection), SecretString: aws.String(string(content)),
	})
	if err != nil {
		return "", awscloud.Error("the secret "+name+" cannot be stored in AWS Secrets Manager", err)
	}
	return managerPrefix + aws.ToString(out.ARN), nil
}

// made is the name of a secret that Keep has made, with the suffix that AWS
// puts after it in an ARN.
var made = regexp.MustCompile(`-[0-9a-f]{8}(-[A-Za-z0-9]{6})?$`)

// Forget has a secret that Keep has made deleted, after the days that AWS
// keeps it back by itself. Anything else is left alone.
func (m *Manager) Forget(ctx context.Context, reference string) error {
	id, ok := strings.CutPrefix(reference, managerPrefix)
	if !ok || !Below(id, m.prefix) || !made.MatchString(id) {
		return nil
	}
	_, err := m.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id})
	if err == nil || awscloud.Classify(err) == awscloud.NotFound {
		return nil
	}
	return awscloud.Error("the secret cannot be deleted in AWS Secrets Manager", err)
}

// Below reports whether an ARN is that of a secret whose name begins with
// prefix. A request may name such secrets only: it must not make this process,
// or a job, read others.
func Below(id, prefix string) bool {
	parsed, err := arn.Parse(id)
	return err == nil && parsed.Service == "secretsmanager" && parsed.Region != "" && parsed.AccountID != "" &&
		strings.HasPrefix(parsed.Resource, "secret:"+prefix) && len(parsed.Resource) > len("secret:"+prefix) &&
		!strings.ContainsAny(parsed.Resource, "*?\"'\\ ")
}

// Region is the region in the ARN of a secret; "" when it is none.
func Region(id string) string {
	parsed, err := arn.Parse(id)
	if err != nil {
		return ""
	}
	return parsed.Region
}

// Given makes a connection of a table that a request describes whole. CodeInvalid
// names the key that is wrong: the secret must lie below prefix, and of the URL
// only host, port, database and sslmode are taken.
func Given(t *sparkwright.GivenTable, prefix string) (sparkwright.Connection, error) {
	conn, err := fromJDBC(t.JDBCURL)
	if err != nil {
		return conn, err
	}
	conn.Name, conn.AuthMethod = t.Connection, t.AuthMethod
	if conn.AuthMethod == "" {
		conn.AuthMethod = sparkwright.AuthSecretsManager
	}
	if t.Database != "" {
		conn.Database = t.Database
	}
	if !Below(t.SecretARN, prefix) {
		return conn, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the secret_arn of " + t.Schema + "." + t.Table + " cannot be used",
			Because: "only secrets whose names begin with " + prefix + " may be named by a request",
			Remedy:  "keep the login under that prefix, or change postgres.secrets_manager_prefix",
		}
	}
	conn.Secret = managerPrefix + t.SecretARN
	return conn, nil
}
