package supervisor

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// catalogStep finds the tables that the request may use.
func (j *job) catalogStep(ctx context.Context) (next, error) {
	if j.s.cfg.CheckSpace != nil { // before anything is paid for
		if err := j.s.cfg.CheckSpace(); err != nil {
			return next{}, err
		}
	}
	if err := j.needCatalog(ctx); err != nil {
		return next{}, err
	}
	// What is missing is told before a model is paid.
	p, err := j.place(j.catalog.Tables)
	if err != nil {
		return next{}, err
	}
	warnings, err := j.preflight(ctx, p, j.catalog.Tables)
	for _, text := range warnings {
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "preflight", Text: text})
	}
	if err != nil {
		return next{}, err
	}
	j.enter(sparkwright.RunGenerating)
	return next{step: stepGenerate}, nil
}

// needCatalog has the catalog in this process.
func (j *job) needCatalog(ctx context.Context) error {
	if j.catalog != nil {
		return nil
	}
	catalog := &sparkwright.Catalog{}
	if len(j.req.Given) == 0 || j.req.Connection != "" || len(j.req.Tables) > 0 {
		var err error
		if catalog, err = j.s.selectTables(ctx, j.req.Connection, j.req.Tables, j.opened); err != nil {
			return err
		}
	}
	if err := j.given(ctx, catalog); err != nil {
		return err
	}
	readplan.NameViews(catalog)
	j.catalog = catalog
	return nil
}

// needReads has the plan of the run's reads in this process.
func (j *job) needReads(ctx context.Context) error {
	if j.reads != nil {
		return nil
	}
	if err := j.needCatalog(ctx); err != nil {
		return err
	}
	used := make([]string, 0, len(j.run.Views))
	for _, v := range j.run.Views {
		used = append(used, v.View)
	}
	return j.plan(used)
}

// maxReads is how many connections one table is read over at once.
const maxReads = 8

// plan decides how the views that the analysis uses are read.
func (j *job) plan(used []string) error {
	if used == nil {
		used = []string{}
	}
	j.reads = readplan.Plan(j.catalog, used, readplan.Options{Cores: j.s.cfg.Cores, MaxConnections: maxReads})
	if j.reads == nil {
		j.reads = []readplan.Read{}
	}
	j.run.Views = nil
	for i := range j.reads {
		r := &j.reads[i]
		if len(r.Kept()) == 0 {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: r.Table.QualifiedName() + " has no column that Spark can read",
				Remedy: "make a view in PostgreSQL that casts its columns, and ask about that",
			}
		}
		j.run.Views = append(j.run.Views, sparkwright.TableUse{
			Table: r.Table.QualifiedName(), View: r.View, RowEstimate: r.Table.RowEstimate,
			Bytes: r.Table.Bytes, Partitions: r.Partitions,
		})
	}
	return nil
}
