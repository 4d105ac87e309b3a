package supervisor

import (
	"fmt"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/placement"
)

// mayBeDirect is what PostgreSQL may answer by itself of an attempt; nil when
// Spark is to carry it out.
func (j *job) mayBeDirect(a *sparkwright.Attempt) *Direct {
	v := j.s.now()
	in := placement.EngineInput{
		Asked: j.req.Engine, Setting: v.Engine, Place: j.req.Executor, Code: j.req.Code != "", Executor: j.run.Placement.Executor,
	}
	if j.work.NotDirect || a.Handle != nil || len(j.work.Schema) == 0 || v.Executors[placement.Postgres] == nil || !placement.MayAnswer(in) {
		return nil
	}
	return &Direct{Schema: j.work.Schema, Cost: v.Direct.Cost, Time: v.Direct.Time}
}

// answerDirectly moves the run to PostgreSQL, when it answers by itself.
func (j *job) answerDirectly() {
	q, reason := j.reading.Query()
	if q == nil {
		return
	}
	p := &j.run.Placement
	p.Executor, p.Reason = placement.Postgres, fmt.Sprintf("%s; %s", reason, mega(p.Bytes))
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "move", Text: p.Reason})
}

func mega(bytes int64) string { return fmt.Sprintf("tables of about %d MB", (bytes+1<<20-1)>>20) }

// answerAnew finds the place again for an attempt after one that PostgreSQL
// has answered by itself.
func (j *job) answerAnew() error {
	if j.run.Placement.Executor != placement.Postgres {
		return nil
	}
	_, err := j.placeReads()
	return err
}

// placeReads decides where the run goes that reads what is planned: these
// tables.
func (j *job) placeReads() ([]sparkwright.Table, error) {
	tables := make([]sparkwright.Table, 0, len(j.reads))
	for i := range j.reads {
		tables = append(tables, j.reads[i].Table)
	}
	p, err := j.place(tables)
	if err == nil {
		j.run.Placement = p
	}
	return tables, err
}

// sparkInstead has Spark answer what PostgreSQL could not by itself, and says so.
func (j *job) sparkInstead(f *sparkwright.Fault) bool {
	if j.run.Placement.Executor != placement.Postgres || j.work.NotDirect || f.Kind == sparkwright.FaultCancelled {
		return false
	}
	why := f.Message
	if f.Because != "" {
		why += " (" + f.Because + ")"
	}
	j.work.NotDirect = true
	if _, err := j.placeReads(); err != nil {
		return false
	}
	j.run.Placement.Reason += "; PostgreSQL could not answer by itself: " + why
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "move", Text: j.run.Placement.Reason})
	return true
}

// engine is what carries the run out, as its steps are told.
func (j *job) engine() string {
	if j.run.Placement.Executor == placement.Postgres {
		return placement.Postgres
	}
	return "spark"
}
