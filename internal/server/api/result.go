package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
)

// Results reads what jobs have written. *result.Reader is one.
type Results interface {
	Page(ctx context.Context, m *sparkwright.Manifest, q result.Query) (*result.Page, error)
	CSV(ctx context.Context, m *sparkwright.Manifest, w io.Writer, neutral bool) error
	Parquet(ctx context.Context, m *sparkwright.Manifest, w io.Writer) error
	Arrow(ctx context.Context, m *sparkwright.Manifest, w io.Writer) error
	Compare(ctx context.Context, a, b *sparkwright.Manifest, n int) (*result.Difference, error)
	// Forget removes what is kept beside an attempt's result.
	Forget(attemptID string) error
}

var _ Results = (*result.Reader)(nil)

// ResultPage is a part of a result's rows.
type ResultPage struct {
	Columns    []sparkwright.ResultColumn `json:"columns"`
	Rows       []json.RawMessage          `json:"rows" doc:"Each a list of cells, as the job wrote them: null, true, numbers with all their digits, text, lists, objects"`
	Offset     int64                      `json:"offset"`
	Total      int64                      `json:"total" doc:"Rows that fit the filters"`
	NextOffset *int64                     `json:"next_offset,omitempty" doc:"Absent on the last page"`
}

// The media types of a result.
const (
	mediaJSON    = "application/json"
	mediaCSV     = "text/csv"
	mediaParquet = "application/vnd.apache.parquet"
	mediaArrow   = "application/vnd.apache.arrow.stream"
)

func (a *API) registerResults() {
	op := operation("get-result", http.MethodGet, "/runs/{id}/result", "Read the rows of a run's result", "results")
	op.Description = "JSON pages, sorted and filtered on the server; or the whole result as CSV, Parquet or an Arrow IPC stream, by format or Accept. " +
		"Values are those that the job wrote, never rounded. In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it, unless raw is 1."
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	op.Responses = map[string]*huma.Response{"200": {Description: "Rows", Content: map[string]*huma.MediaType{
		mediaJSON: {Schema: schemaOf[ResultPage](a)}, mediaCSV: {Schema: &huma.Schema{Type: huma.TypeString}}, mediaParquet: {Schema: binary}, mediaArrow: {Schema: binary},
	}}}
	register(a, op, a.result)
	export := operation("export-run", http.MethodGet, "/runs/{id}/export", "Download a run's result, script or notebook", "results")
	export.Responses = map[string]*huma.Response{"200": {Description: "A file", Content: map[string]*huma.MediaType{
		mediaCSV: {Schema: &huma.Schema{Type: huma.TypeString}}, mediaParquet: {Schema: binary},
		"text/x-python": {Schema: &huma.Schema{Type: huma.TypeString}}, "application/x-ipynb+json": {Schema: &huma.Schema{}},
	}}}
	register(a, export, a.export)
}

func (a *API) result(ctx context.Context, in *struct {
	RunPath
	Accept string   `header:"Accept" hidden:"true"`
	Format string   `query:"format" enum:"json,csv,parquet,arrow" doc:"Comes before Accept"`
	Raw    bool     `query:"raw" doc:"CSV without guarding against formulas"`
	Offset int64    `query:"offset" minimum:"0"`
	Limit  int      `query:"limit" minimum:"1" default:"100"`
	Sort   []string `query:"sort,explode" doc:"COLUMN or COLUMN:desc; text by its bytes, NULL last; may be repeated" maxItems:"8"`
	Filter []string `query:"filter,explode" doc:"COLUMN:OP:VALUE with eq, ne, lt, le, gt, ge, contains, or COLUMN:null, COLUMN:notnull; may be repeated" maxItems:"32"`
},
) (*huma.StreamResponse, error) {
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	m, err := written(run)
	if err != nil {
		return nil, err
	}
	media := mediaOf(in.Format, in.Accept)
	if media != mediaJSON {
		if len(in.Sort)+len(in.Filter) > 0 || in.Offset > 0 {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "whole results are given as the job wrote them", Because: media + " takes no offset, sort or filter",
				Remedy: "leave them out, or ask for JSON pages",
			}
		}
		return a.whole(ctx, m, media, "", !in.Raw), nil
	}
	q := result.Query{Offset: in.Offset, Limit: min(in.Limit, a.cfg.Limits.PageRows)}
	for _, text := range in.Sort {
		q.Sort = append(q.Sort, order(text))
	}
	for _, text := range in.Filter {
		f, bad := filter(text)
		if bad != nil {
			return nil, bad
		}
		q.Filters = append(q.Filters, f)
	}
	page, err := a.cfg.Results.Page(ctx, m, q)
	if err != nil {
		return nil, err
	}
	out := ResultPage{Columns: m.Schema, Rows: page.Rows, Offset: in.Offset, Total: page.Total}
	if page.Next >= 0 {
		out.NextOffset = &page.Next
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", mediaJSON)
		enc := json.NewEncoder(h.BodyWriter())
		enc.SetEscapeHTML(false)
		if err := enc.Encode(out); err != nil {
			panic(http.ErrAbortHandler) // never half a page that looks whole
		}
	}}, nil
}

// written is the result of a run, when it has one.
func written(run *sparkwright.Run) (*sparkwright.Manifest, error) {
	if run.State == sparkwright.RunSucceeded && run.Result != nil {
		return run.Result, nil
	}
	e := &sparkwright.Error{Code: sparkwright.CodeConflict, Message: "the run has no result", Because: "it is " + string(run.State)}
	switch {
	case !run.State.Final():
		e.Remedy = "wait for its end: " + Prefix + "/runs/" + run.ID + "/events"
	case run.Fault != nil:
		e.Because, e.Remedy = run.Fault.Message, run.Fault.Remedy
	case run.Declined != nil:
		e.Because = run.Declined.Message
	case run.State == sparkwright.RunSucceeded:
		e.Because = "it ended after the check, as was asked"
	}
	return nil, e
}

// mediaOf chooses the form of a result.
func mediaOf(format, accept string) string {
	byName := map[string]string{"json": mediaJSON, "csv": mediaCSV, "parquet": mediaParquet, "arrow": mediaArrow}
	if media, ok := byName[format]; ok {
		return media
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if slices.Contains([]string{mediaJSON, mediaCSV, mediaParquet, mediaArrow}, media) {
			return media
		}
	}
	return mediaJSON
}

func order(text string) result.Order {
	if column, ok := strings.CutSuffix(text, ":desc"); ok {
		return result.Order{Column: column, Descending: true}
	}
	return result.Order{Column: strings.TrimSuffix(text, ":asc")}
}

// filter reads COLUMN:OP:VALUE. A column's name may hold colons: the first
// place where a comparison stands counts.
func filter(text string) (result.Filter, error) {
	at, found := -1, result.Filter{}
	for _, op := range []result.Op{result.OpEqual, result.OpNot, result.OpLess, result.OpAtMost, result.OpMore, result.OpAtLeast, result.OpContains} {
		if i := strings.Index(text, ":"+string(op)+":"); i >= 0 && (at < 0 || i < at) {
			at, found = i, result.Filter{Column: text[:i], Op: op, Value: text[i+len(op)+2:]}
		}
	}
	if at >= 0 {
		return found, nil
	}
	for _, op := range []result.Op{result.OpNotNull, result.OpNull} {
		if column, ok := strings.CutSuffix(text, ":"+string(op)); ok {
			return result.Filter{Column: column, Op: op}, nil
		}
	}
	return found, &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "a filter is not COLUMN:OP:VALUE",
		Remedy: "use eq, ne, lt, le, gt, ge or contains with a value, or COLUMN:null, COLUMN:notnull",
	}
}

// whole streams a result. What fails before the first byte is a problem; what
// fails later cuts the connection, so that no part is taken for the whole.
func (a *API) whole(ctx context.Context, m *sparkwright.Manifest, media, file string, neutral bool) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		r, w := humago.Unwrap(h)
		out := &late{w: w, rc: http.NewResponseController(w), media: media, file: file}
		defer func() { _ = out.rc.SetWriteDeadline(time.Time{}) }()
		var err error
		switch media {
		case mediaCSV:
			err = a.cfg.Results.CSV(ctx, m, out, neutral)
		case mediaParquet:
			err = a.cfg.Results.Parquet(ctx, m, out)
		default:
			err = a.cfg.Results.Arrow(ctx, m, out)
		}
		switch {
		case err == nil:
		case out.begun:
			a.cfg.Log.WarnContext(ctx, "download cut", "media", media, "code", sparkwright.ErrorCode(err))
			panic(http.ErrAbortHandler)
		default:
			a.writeProblem(w, r, problemOf(ctx, a.cfg.Log, err))
		}
	}}
}

// late writes its header with the first byte.
type late struct {
	w           http.ResponseWriter
	rc          *http.ResponseController
	media, file string
	begun       bool
}

// Write implements io.Writer.
func (l *late) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		media := l.media
		if media == mediaCSV {
			media += "; charset=utf-8; header=present"
		}
		l.w.Header().Set("Content-Type", media)
		if l.file != "" {
			l.w.Header().Set("Content-Disposition", `attachment; filename="`+l.file+`"`)
		}
	}
	_ = l.rc.SetWriteDeadline(time.Now().Add(sendTime)) // not every writer has one
	return l.w.Write(p)
}
