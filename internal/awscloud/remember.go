package awscloud

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Remembered are credentials that remember what they last gave, so that it can
// be taken out of what a server says. It is safe for concurrent use.
type Remembered struct {
	inner aws.CredentialsProvider

	mu   sync.Mutex
	last aws.Credentials
}

// Remember wraps credentials.
func Remember(inner aws.CredentialsProvider) *Remembered { return &Remembered{inner: inner} }

// Retrieve implements aws.CredentialsProvider.
func (r *Remembered) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if r.inner == nil {
		return aws.Credentials{}, errors.New("no AWS credentials are configured")
	}
	got, err := r.inner.Retrieve(ctx)
	if err == nil {
		r.mu.Lock()
		r.last = got
		r.mu.Unlock()
	}
	return got, err
}

// Secrets are the parts of the credentials that were last given.
func (r *Remembered) Secrets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []string{r.last.AccessKeyID, r.last.SecretAccessKey, r.last.SessionToken}
}
