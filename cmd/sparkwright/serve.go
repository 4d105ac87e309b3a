package main

import (
	"context"
	"errors"
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
	var port int
	var withDemo bool
	var origins []string
	var level string
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the HTTP API on 127.0.0.1", Args: cobra.NoArgs,
		Long: "Serve the HTTP API on 127.0.0.1: /api/v1 (see /api/v1/openapi.json), the reference\ncontract (POST /spark/generate …), /metrics, /healthz and /readyz. SIGTERM or Ctrl-C lets running requests end, then stops\nSpark and everything else that was started.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := app.serverLog(level); err != nil {
				return err
			}
			return app.serve(cmd.Context(), port, withDemo, origins)
		},
	}
	cmd.Flags().IntVar(&port, "port", 8000, "port; 0 = chosen by the system")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error; the log is JSON on stderr")
	cmd.Flags().BoolVar(&withDemo, "demo", false, "also start the demo data")
	cmd.Flags().StringSliceVar(&origins, "allow-origin", nil, "page of another origin, as http://localhost:3000, that may call the API from a browser")
	return cmd
}

func (a *app) serve(ctx context.Context, port int, withDemo bool, origins []string) error {
	svc, err := a.service(ctx)
	if err != nil {
		return err
	}
	cfg, err := a.edge(ctx, origins)
	if err != nil {
		return err
	}
	around, err := a.api(ctx, svc)
	if err != nil {
		return err
	}
	defer func() { _ = around.traces.Close(context.WithoutCancel(ctx)) }()
	cfg.Mounts = around.mounts
	agent, err := a.delegate(ctx)
	if err != nil {
		return err
	}
	if agent != nil {
		cfg.Delegate = func(next http.Handler) http.Handler { agent.Next = next; return agent }
	}
	if err = svc.Start(ctx); err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "port " + strconv.Itoa(port) + " cannot be used", Because: err.Error(),
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
	}
	if withDemo {
		if err := a.prepareDemo(ctx); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	go func() { _ = a.connect.Warm(requests) }()
	go a.sweep(requests)
	go around.watch(requests)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	a.say("serve", "http://"+listener.Addr().String()+" · stop with Ctrl-C")
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
