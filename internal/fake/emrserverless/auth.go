package emrserverless

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Credential is a key pair that may call the API.
type Credential struct {
	Secret string
	Token  string // session token; "" = none
	// Expired makes each call with it fail as calls with old keys do.
	Expired bool
}

// clockSkew is how far a request's date may be from the emulator's clock.
const clockSkew = 5 * time.Minute

var authorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// signature is a taken-apart Authorization header.
type signature struct {
	accessKey, date, region, service string
	headers                          []string
	value                            string
}

func parseSignature(r *http.Request) (signature, bool) {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return signature{}, false
	}
	return signature{m[1], m[2], m[3], m[4], strings.Split(m[5], ";"), m[6]}, true
}

func forbidden(name, message string) error {
	return &apiError{http.StatusForbidden, name, message}
}

// verify recomputes the request's signature with the SDK's own signer.
func verify(r *http.Request, body []byte, service, region string, keys map[string]Credential, now time.Time) error {
	sig, ok := parseSignature(r)
	if !ok {
		return forbidden("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	cred, ok := keys[sig.accessKey]
	if !ok || cred.Token != r.Header.Get("X-Amz-Security-Token") {
		return forbidden("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if cred.Expired {
		return forbidden("ExpiredTokenException", "The security token included in the request is expired")
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || at.Format("20060102") != sig.date {
		return forbidden("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.")
	}
	if d := now.Sub(at); d > clockSkew || d < -clockSkew {
		return forbidden("InvalidSignatureException", fmt.Sprintf("Signature not yet current or expired: %s is not within %s of %s",
			r.Header.Get("X-Amz-Date"), clockSkew, now.UTC().Format("20060102T150405Z")))
	}
	if sig.service != service || sig.region != region {
		return forbidden("InvalidSignatureException", fmt.Sprintf("Credential should be scoped to %s/%s, not %s/%s", region, service, sig.region, sig.service))
	}
	if !slices.Contains(sig.headers, "host") {
		return forbidden("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	want, err := sign(r, sig, cred, body, at)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(sig.value)) != 1 {
		return forbidden("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

// sign computes the signature of what the request says that it has signed.
func sign(r *http.Request, sig signature, cred Credential, body []byte, at time.Time) (string, error) {
	again, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, "http://"+r.Host+r.RequestURI, http.NoBody) //nolint:gosec // G704: signed, never sent
	if err != nil {
		return "", invalid("the request's URL cannot be read")
	}
	again.Host = r.Host
	for _, name := range sig.headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			for _, v := range r.Header.Values(name) {
				again.Header.Add(name, v)
			}
		}
	}
	sum := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: sig.accessKey, SecretAccessKey: cred.Secret, SessionToken: cred.Token}
	if err := v4.NewSigner().SignHTTP(r.Context(), keys, again, hex.EncodeToString(sum[:]), sig.service, sig.region, at); err != nil {
		return "", fmt.Errorf("sign again: %w", err)
	}
	recomputed, ok := parseSignature(again)
	if !ok {
		return "", fmt.Errorf("sign again: unexpected Authorization header")
	}
	return recomputed.value, nil
}
