package main

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server"
)

// shutdownGrace is how long running requests may take to end after a signal;
// then they are cancelled.
const shutdownGrace = 20 * time.Second

func newServeCommand(app *app) *cobra.Command {
	var l listening
	var level string
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the page and the HTTP API on 127.0.0.1", Args: cobra.NoArgs,
		Long: "Serve the page and the HTTP API on 127.0.0.1: /api/v1 (see /api/v1/openapi.json), the reference\ncontract (POST /spark/generate …), /metrics, /healthz and /readyz. SIGTERM or Ctrl-C lets running requests end, then stops\nSpark and everything else that was started.\n\nOn 127.0.0.1 everybody on this machine is let in, unless --auth token says otherwise.\nEvery other address needs a login: the token (sparkwright token), or OpenID Connect (auth.oidc_issuer).",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := app.serverLog(level); err != nil {
				return err
			}
			return app.serve(cmd.Context(), &l)
		},
	}
	cmd.Flags().IntVar(&l.port, "port", 8000, "port; 0 = chosen by the system")
	cmd.Flags().StringVar(&l.addr, "addr", "127.0.0.1", "IP address to listen on")
	cmd.Flags().StringVar(&l.auth, "auth", "", "who is let in: open (this machine), token or oidc; empty = oidc when it is configured, else open on 127.0.0.1")
	cmd.Flags().StringVar(&l.public, "public-url", "", "how people call the server, as https://ask.example.com, when a proxy stands before it")
	cmd.Flags().StringVar(&l.cert, "tls-cert", "", "PEM file with the certificate of the server")
	cmd.Flags().StringVar(&l.key, "tls-key", "", "PEM file with its key")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error; the log is JSON on stderr")
	cmd.Flags().BoolVar(&l.demo, "demo", false, "also start the demo data")
	cmd.Flags().StringSliceVar(&l.origins, "allow-origin", nil, "page of another origin, as http://localhost:3000, that may call the API from a browser")
	return cmd
}

func (a *app) serve(ctx context.Context, l *listening) error {
	set, err := a.loadSettings()
	if err != nil {
		return err
	}
	if err = l.check(set); err != nil {
		return err
	}
	svc, err := a.service(ctx)
	if err != nil {
		return err
	}
	cfg, err := a.edge(ctx, l.origins)
	if err != nil {
		return err
	}
	around, err := a.api(ctx, svc)
	if err != nil {
		return err
	}
	defer func() { _ = around.traces.Close(context.WithoutCancel(ctx)) }()
	who, err := a.authenticator(ctx, l)
	if err != nil {
		return err
	}
	cfg.Mounts, cfg.Auth, cfg.Audit, cfg.Hosts = around.mounts, who, a.store, l.hosts()
	cfg.PerSecond, cfg.Refused = set.Limits.ClientRate, around.refused
	maps.Copy(cfg.Mounts, who.Handlers())
	agent, err := a.delegate(ctx)
	if err != nil {
		return err
	}
	if agent != nil {
		var c *cloud
		if c, err = newCloud(ctx, set); err != nil {
			return err
		}
		agent.History = &delegations{runs: svc, sessions: cfg.Sessions, arn: set.Spark.SupervisorARN, load: c.load}
		cfg.Delegate = func(next http.Handler) http.Handler { agent.Next = next; return agent }
	}
	if err = svc.Start(ctx); err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(l.addr, strconv.Itoa(l.port)))
	if err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "port " + strconv.Itoa(l.port) + " cannot be used", Because: err.Error(),
			Remedy: "choose another one with --port", Err: err,
		}
	}
	// Requests outlive the signal by the grace; so does their context.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           around.http.Wrap(server.New(cfg)),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if l.demo {
		if err := a.prepareDemo(ctx); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	go func() { _ = a.connect.Warm(requests) }()
	go a.sweep(requests)
	go around.watch(requests)
	served := make(chan error, 1)
	go func() {
		if l.cert != "" {
			served <- srv.ServeTLS(listener, l.cert, l.key)
			return
		}
		served <- srv.Serve(listener)
	}()
	base := l.base(listener.Addr().String())
	a.say("serve", base+" · stop with Ctrl-C")
	if l.auth != authOpen {
		a.say("log in", who.Link(base)+" · once, within 15 minutes; another one: sparkwright token link")
	}
	select {
	case err := <-served:
		return sparkwright.Errorf(sparkwright.CodeInternal, "the server stopped: %w", err)
	case <-ctx.Done():
	}
	a.say("serve", "stopping; running requests may end")
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer stop()
	if srv.Shutdown(grace) != nil {
		cancel()
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second)
		defer stop()
		_ = srv.Shutdown(last)
	}
	return nil
}
