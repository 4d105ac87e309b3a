package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sparkwright/sparkwright"
)

// export gives a run as a file: its result, or the script that made it.
func (a *API) export(ctx context.Context, in *struct {
	RunPath
	Format string `query:"format" enum:"py,ipynb,csv,parquet" required:"true"`
	Raw    bool   `query:"raw" doc:"CSV without guarding against formulas"`
},
) (*huma.StreamResponse, error) {
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	file := run.ID + "." + in.Format
	switch in.Format {
	case "csv", "parquet":
		m, err := written(run)
		if err != nil {
			return nil, err
		}
		return a.whole(ctx, m, mediaOf(in.Format, ""), file, !in.Raw), nil
	case "py":
		script, err := scriptOf(run)
		if err != nil {
			return nil, err
		}
		return download("text/x-python; charset=utf-8", file, []byte(script)), nil
	default:
		script, err := scriptOf(run)
		if err != nil {
			return nil, err
		}
		text, err := notebook(run, script)
		if err != nil {
			return nil, err
		}
		return download("application/x-ipynb+json", file, text), nil
	}
}

// scriptOf is the whole file that the last attempt ran.
func scriptOf(run *sparkwright.Run) (string, error) {
	for i := range slices.Backward(run.Attempts) {
		if run.Attempts[i].Script != "" {
			return run.Attempts[i].Script, nil
		}
	}
	return "", &sparkwright.Error{
		Code: sparkwright.CodeConflict, Message: "the run has no script", Because: "it is " + string(run.State) + " and nothing was submitted",
		Remedy: "run it; its analysis alone is in the run itself",
	}
}

func download(media, file string, text []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", media)
		h.SetHeader("Content-Disposition", `attachment; filename="`+file+`"`)
		h.SetStatus(http.StatusOK)
		_, _ = h.BodyWriter().Write(text) // the client may have left
	}}
}

// notebook is the script as a Jupyter notebook (nbformat 4.5): the question as
// text, then what comes before the analysis, the analysis, and what follows.
func notebook(run *sparkwright.Run, script string) ([]byte, error) {
	lines := func(text string) []string {
		out := strings.SplitAfter(text, "\n")
		if out[len(out)-1] == "" {
			out = out[:len(out)-1]
		}
		return out
	}
	note := "# " + strings.ReplaceAll(run.Question.Text, "\n", " ") + "\n"
	if run.Question.Text == "" {
		note = "# Run " + run.ID + "\n"
	}
	if run.Understood != "" {
		note += "\n" + run.Understood + "\n"
	}
	for _, assumed := range run.Assumptions {
		note += "\n- " + assumed
	}
	cells := []map[string]any{{"id": "question", "cell_type": "markdown", "metadata": map[string]any{}, "source": lines(note)}}
	code := func(id, text string) {
		if strings.TrimSpace(text) != "" {
			cells = append(cells, map[string]any{
				"id": id, "cell_type": "code", "metadata": map[string]any{}, "execution_count": nil, "outputs": []any{}, "source": lines(text),
			})
		}
	}
	analysis := strings.TrimRight(strings.ReplaceAll(run.Analysis, "\r\n", "\n"), "\n")
	before, after, ok := strings.Cut(script, analysis)
	if !ok || analysis == "" {
		before, analysis, after = script, "", ""
	}
	code("prologue", before)
	code("analysis", analysis)
	code("epilogue", strings.TrimPrefix(after, "\n"))
	text, err := json.MarshalIndent(map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "cells": cells,
		"metadata": map[string]any{
			"kernelspec":    map[string]any{"name": "python3", "display_name": "Python 3", "language": "python"},
			"language_info": map[string]any{"name": "python"},
		},
	}, "", " ")
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the notebook cannot be written: %w", err)
	}
	return text, nil
}
