package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright/internal/broker"
)

// A token that is good for one connection after the other, as IAM's are: each
// connection of the run logs in with the one of now, by SCRAM.
func TestLoginOfNow(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	if method := value[string](t, b.owner, "SELECT split_part(rolpassword, '$', 1) FROM pg_authid WHERE rolname = current_user"); method != "SCRAM-SHA-256" {
		t.Fatalf("the server's logins are %s", method)
	}
	if _, err := b.owner.Exec(t.Context(), "CREATE ROLE token LOGIN; GRANT SELECT ON t TO token"); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	login := func(ctx context.Context) (*pgconn.Config, error) {
		cfg, err := login()
		if err != nil {
			return nil, err
		}
		cfg.User, cfg.Password = "token", fmt.Sprintf("token-%d", asked.Add(1))
		owner, err := loginOwner(ctx)
		if err != nil {
			return nil, err
		}
		defer owner.Close(ctx) //nolint:errcheck // nothing is lost
		_, err = owner.Exec(ctx, fmt.Sprintf("ALTER ROLE token PASSWORD '%s'", cfg.Password))
		return &cfg.Config, err
	}
	broker2 := broker.New(slog.New(slog.DiscardHandler))
	s, err := broker2.BeginLogin(t.Context(), "r_token", "test", login, broker.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := broker2.End(context.WithoutCancel(t.Context()), "r_token"); err != nil {
			t.Error(err)
		}
	})
	host, port := s.Address()
	dsn := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres sslmode=disable", host, port, s.Login().User, s.Login().Password)
	before := asked.Load()
	for range 3 {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is lost
		if got := value[string](t, conn, "SELECT current_user::text"); got != "token" {
			t.Errorf("logged in as %s", got)
		}
	}
	if n := asked.Load() - before; n < 2 {
		t.Errorf("three connections asked for %d logins", n)
	}
}

func loginOwner(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := login()
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// Upstream the broker speaks TLS, and to the server that the connection knows
// only: another authority, another name and a server without TLS are refused.
func TestVerifyFull(t *testing.T) {
	t.Parallel()
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	cert, roots := certificate(t, "db.test")
	_, strangers := certificate(t, "db.test")
	port := tlsFront(t, cert, fmt.Sprintf("%s:%d", cfg.Host, cfg.Port))
	for _, tt := range []struct {
		name       string
		server     string
		roots      *x509.CertPool
		port       uint16
		wantFailed bool
	}{
		{name: "the server", server: "db.test", roots: roots, port: port},
		{name: "another authority", server: "db.test", roots: strangers, port: port, wantFailed: true},
		{name: "another name", server: "other.test", roots: roots, port: port, wantFailed: true},
		{name: "no TLS", server: "db.test", roots: roots, port: cfg.Port, wantFailed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			one := cfg.Config.Copy()
			one.Port, one.Fallbacks = tt.port, nil
			one.TLSConfig = &tls.Config{RootCAs: tt.roots, ServerName: tt.server, MinVersion: tls.VersionTLS12}
			b := broker.New(slog.New(slog.DiscardHandler))
			run := "r_tls_" + filepath.Base(t.TempDir())
			s, err := b.Begin(t.Context(), run, "test", one, broker.Limits{})
			if tt.wantFailed {
				if err == nil {
					t.Error("a way is open")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rows, e := s.Query(t.Context(), "SELECT count(*) FROM t", time.Minute); e != nil || len(rows) != 1 {
				t.Errorf("%v, %v", rows, e)
			}
			if _, err = b.End(t.Context(), run); err != nil {
				t.Error(err)
			}
		})
	}
}

// tlsFront is PostgreSQL's answer to a request for TLS, in front of a server
// that has none.
func tlsFront(t *testing.T, cert tls.Certificate, server string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the test's
				request := make([]byte, 8)
				if _, err := conn.Read(request); err != nil {
					return
				}
				if _, err := conn.Write([]byte{'S'}); err != nil {
					return
				}
				secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
				far, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer far.Close() //nolint:errcheck // the test's
				done := make(chan struct{}, 2)
				relay := func(to, from net.Conn) {
					buf := make([]byte, 32<<10)
					for {
						n, err := from.Read(buf)
						if n > 0 {
							if _, e := to.Write(buf[:n]); e != nil {
								break
							}
						}
						if err != nil {
							break
						}
					}
					done <- struct{}{}
				}
				go relay(far, secure)
				go relay(secure, far)
				<-done
			}()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatal("no certificate")
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
