package rds

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	service   = "rds-db"
	maxExpiry = 15 * time.Minute
	clockSkew = 5 * time.Minute
	// emptyHash is the SHA-256 of a request without a body.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// check judges a token. It returns whose it is, and why it is refused; "" = it
// is good.
func (s *Server) check(ctx context.Context, user, token string) (accessKey, why string) {
	u, err := url.Parse("https://" + token)
	if err != nil || u.RawQuery == "" {
		return "", "the password is no token"
	}
	q := u.Query()
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || q.Get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256" || q.Get("X-Amz-SignedHeaders") != "host" {
		return "", "the password is no token"
	}
	accessKey = scope[0]
	if at := net.JoinHostPort(s.Host(), strconv.Itoa(s.Port())); u.Host != at || strings.Trim(u.Path, "/") != "" || q.Get("Action") != "connect" {
		return accessKey, "the token is for " + q.Get("Action") + " at " + u.Host + u.Path
	}
	if q.Get("DBUser") != user {
		return accessKey, "the token is for the user " + q.Get("DBUser")
	}
	if scope[2] != s.cfg.Region || scope[3] != service {
		return accessKey, "the token is for " + scope[3] + " in " + scope[2]
	}
	made, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil || made.Format("20060102") != scope[1] {
		return accessKey, "the token has no date"
	}
	if why := s.expired(made, q.Get("X-Amz-Expires")); why != "" {
		return accessKey, why
	}
	caller, known := s.cfg.Caller(accessKey)
	if !known || caller.Token != q.Get("X-Amz-Security-Token") {
		return accessKey, "nobody has these keys"
	}
	want, err := signature(ctx, u, caller, scope, made)
	if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(q.Get("X-Amz-Signature"))) != 1 {
		return accessKey, "the signature is wrong"
	}
	if caller.Refusal != nil {
		return accessKey, caller.Refusal("rds-db:connect", "arn:aws:rds-db:"+s.cfg.Region+":"+s.cfg.Account+":dbuser:"+s.cfg.ResourceID+"/"+user)
	}
	return accessKey, ""
}

func (s *Server) expired(made time.Time, expires string) string {
	seconds, err := strconv.Atoi(expires)
	life := time.Duration(seconds) * time.Second
	s.mu.Lock()
	now := time.Now().Add(s.ahead)
	s.mu.Unlock()
	switch {
	case err != nil || life <= 0 || life > maxExpiry:
		return "the token is good for " + expires + " s"
	case now.Sub(made) > life:
		return "the token has expired"
	case made.Sub(now) > clockSkew:
		return "the token is of the future"
	}
	return ""
}

// signature is what the caller's keys sign a token with.
func signature(ctx context.Context, token *url.URL, caller Caller, scope []string, made time.Time) (string, error) {
	q := token.Query()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Security-Token", "X-Amz-Signature"} {
		q.Del(name)
	}
	plain := *token
	plain.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, plain.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	keys := aws.Credentials{AccessKeyID: scope[0], SecretAccessKey: caller.Secret, SessionToken: caller.Token}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, keys, req, emptyHash, service, scope[2], made)
	if err != nil {
		return "", err
	}
	again, err := url.Parse(signed)
	if err != nil {
		return "", err
	}
	return again.Query().Get("X-Amz-Signature"), nil
}

// certificate makes an authority and a server certificate of it.
func certificate(names ...string) (tls.Certificate, []byte, error) {
	fail := func(err error) (tls.Certificate, []byte, error) {
		return tls.Certificate{}, nil, fmt.Errorf("make a certificate: %w", err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "RDS stand-in Root CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	if err != nil {
		return fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), nil
}
