package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/web"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/source/glue"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/upload"
)

// edge wires the HTTP edge. service must have been called.
func (a *app) edge(ctx context.Context, origins []string) (server.Config, error) {
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return server.Config{}, err
	}
	page, err := web.New(web.Dist())
	if err != nil {
		return server.Config{}, sparkwright.Errorf(sparkwright.CodeInternal, "the page cannot be read: %w", err)
	}
	dbs.sessions = a.store
	cfg := server.Config{
		Page: page,
		Runs: a.runs, Sessions: session.New(a.store, a.runs), Settings: dbs.configuration, Postgres: looker{dbs},
		Secrets: secret.Files{Dir: filepath.Join(a.home, "secrets")}, Uploads: a.uploads,
		Log: a.log, Hosts: []string{"127.0.0.1", "localhost", "::1"}, Origins: origins, Healthy: a.store.Ping,
	}
	cfg.Platforms, cfg.Link = platforms(cfg.Settings.Load), a.link
	cfg.Models = func(ctx context.Context) []server.NamedModel { return a.chosen(ctx).named() }
	if !usesAWS(a.settings) {
		return cfg, nil
	}
	cloud, err := awscloud.Load(ctx, awscloud.Options{Region: a.settings.Spark.Region, Log: a.log})
	if err != nil { // what needs no AWS is served all the same
		a.say("warning", err.Error())
		return cfg, nil
	}
	cfg.Glue = glue.New(cloud)
	cfg.Secrets = keepers{secret.NewManager(cloud, a.settings.Postgres.SecretsManagerPrefix), cfg.Secrets}
	return cfg, nil
}

// newUploads keeps uploads here, and in the bucket too when there is one.
func newUploads(home string, s *settings.Settings, dbs *databases) *upload.Store {
	uploads := &upload.Store{
		Dir: uploadsDir(home), Max: int64(s.Limits.UploadMB) << 20, Table: dbs.addUpload,
		CheckSpace: func() error { return artifact.CheckSpace(uploadsDir(home), int64(s.Results.MinFreeMB)<<20) },
	}
	bucket := s.Spark.S3Bucket
	if bucket == "" || !usesAWS(s) {
		return uploads
	}
	uploads.Put = func(ctx context.Context, key string, content []byte) (string, error) {
		url := "s3://" + bucket + "/" + key
		c, err := newCloud(ctx, s)
		if err != nil {
			return "", err
		}
		_, err = c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
		if err != nil {
			return "", awscloud.Error("the upload cannot be stored as "+url, err)
		}
		return url, nil
	}
	uploads.Drop = func(ctx context.Context, prefix string) error {
		c, err := newCloud(ctx, s)
		if err != nil {
			return err
		}
		return c.results.Remove(ctx, "s3://"+bucket+"/"+prefix)
	}
	return uploads
}

// usesAWS reports whether anything of AWS is configured.
func usesAWS(s *settings.Settings) bool {
	return s.Spark.EMRApplicationID != "" || s.Spark.EMRPostgresApplicationID != "" || s.Spark.LambdaFunction != ""
}

// keepers keep a secret in the first of them, and forget it wherever it is.
type keepers []server.Secrets

// Keep implements server.Secrets.
func (k keepers) Keep(ctx context.Context, connection string, content []byte) (string, error) {
	return k[0].Keep(ctx, connection, content)
}

// Forget implements server.Secrets.
func (k keepers) Forget(ctx context.Context, reference string) error {
	var errs []error
	for _, keeper := range k {
		errs = append(errs, keeper.Forget(ctx, reference))
	}
	return errors.Join(errs...)
}

// looker implements server.Postgres.
type looker struct{ dbs *databases }

// Names implements server.Postgres.
func (l looker) Names(ctx context.Context) ([]string, error) {
	all, err := l.dbs.Names(ctx)
	var names []string
	for _, n := range all {
		if n != files.Connection {
			names = append(names, n)
		}
	}
	return names, err
}

// database is an open connection.
func (l looker) database(ctx context.Context, name string) (*database, error) {
	db, err := l.dbs.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if pg, ok := db.(*database); ok {
		return pg, nil
	}
	return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no connection %q", name)
}

// Connection implements server.Postgres.
func (l looker) Connection(ctx context.Context, name string) (sparkwright.Connection, error) {
	db, err := l.database(ctx, name)
	if err != nil {
		return sparkwright.Connection{}, err
	}
	return db.conn, nil
}

// Version implements server.Postgres.
func (l looker) Version(ctx context.Context, conn sparkwright.Connection, cred *sparkwright.Credentials) (string, error) {
	if cred == nil {
		whole, found, err := l.dbs.secrets.Complete(ctx, conn)
		if err != nil {
			return "", err
		}
		conn, cred = whole, &found
	}
	src, err := postgres.Open(ctx, conn, *cred)
	if err != nil {
		return "", err
	}
	defer src.Close()
	return src.Version(ctx)
}

// Databases implements server.Postgres.
func (l looker) Databases(ctx context.Context, name string) ([]string, error) {
	return l.names(ctx, name, (*postgres.Source).Databases)
}

// Schemas implements server.Postgres.
func (l looker) Schemas(ctx context.Context, name string) ([]string, error) {
	return l.names(ctx, name, (*postgres.Source).Schemas)
}

func (l looker) names(ctx context.Context, name string, ask func(*postgres.Source, context.Context) ([]string, error)) ([]string, error) {
	db, err := l.database(ctx, name)
	if err != nil {
		return nil, err
	}
	src, err := db.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return ask(src, ctx)
}

// Catalog implements server.Postgres.
func (l looker) Catalog(ctx context.Context, name string) (*sparkwright.Catalog, error) {
	db, err := l.database(ctx, name)
	if err != nil {
		return nil, err
	}
	return db.Catalog(ctx)
}

func uploadsDir(home string) string { return filepath.Join(home, "uploads") }

// uploads is the connection of a session's uploads: files/HANDLE. No other
// session's can be named by it.
func (d *databases) uploads(handle string) fileDatabase {
	return fileDatabase{
		registry: files.Registry{Path: filepath.Join(uploadsDir(d.home), handle, "tables", "files.json")},
		name:     files.Connection + "/" + handle,
	}
}

// addUpload makes a file a table of its session and returns its name.
func (d *databases) addUpload(ctx context.Context, sess *sparkwright.Session, up sparkwright.Upload, local string) (string, error) {
	db := d.uploads(sess.Handle)
	if err := os.MkdirAll(filepath.Dir(db.registry.Path), 0o700); err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeResource, "the upload cannot be made a table: %w", err)
	}
	opt := files.Options{}
	if artifact.IsS3(up.Path) {
		opt.Location = up.Path
	}
	t, err := db.registry.Add(ctx, local, opt)
	if err != nil {
		return "", err
	}
	t.Connection = db.name
	return t.QualifiedName(), nil
}

// uploadsOf is the session whose uploads a connection names.
func uploadsOf(connection string) (handle string, ok bool) {
	handle, ok = strings.CutPrefix(connection, files.Connection+"/")
	return handle, ok && handle != "" && filepath.IsLocal(handle) && !strings.ContainsAny(handle, `/\.`)
}
