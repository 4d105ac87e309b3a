package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// followed has a question follow up the run of --follow: about the same tables,
// unless others are named.
func (a *app) followed(ctx context.Context, o *askOptions, req *supervisor.Request) error {
	if o.follow == "" {
		return nil
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	run, err := st.Run(ctx, o.follow)
	if err != nil {
		return err
	}
	req.Parent = run.ID
	if len(o.connections)+len(o.tables)+len(o.files) == 0 && o.url == "" {
		o.tables = run.Question.Tables
		if run.Question.Connection != "" {
			o.connections = []string{run.Question.Connection}
		}
	}
	return nil
}

// askedBack reports whether a run ended with a question to the person.
func askedBack(run *sparkwright.Run) bool {
	return run.Declined != nil && run.Declined.Reason == sparkwright.DeclineAmbiguous && len(run.Declined.Choices) > 0
}

// choose has the person answer what was asked back; "" to leave it.
func (a *app) choose(run *sparkwright.Run) string {
	a.out.field("unclear", run.Declined.Message)
	for i, choice := range run.Declined.Choices {
		a.out.field("", fmt.Sprintf("%d  %s", i+1, choice))
	}
	return readChoice(a.stdin, a.stderr, len(run.Declined.Choices))
}

// readChoice reads a number of a choice, or an answer in words.
func readChoice(in io.Reader, out io.Writer, choices int) string {
	lines := bufio.NewScanner(in)
	for {
		_, _ = fmt.Fprintf(out, "  number, other words, or nothing: ")
		if !lines.Scan() {
			return ""
		}
		text := strings.TrimSpace(lines.Text())
		if n, err := strconv.Atoi(text); err != nil || n >= 1 && n <= choices {
			return text
		}
		_, _ = fmt.Fprintf(out, "  there are choices from 1 to %d\n", choices)
	}
}
