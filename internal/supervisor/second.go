package supervisor

import (
	"slices"

	"github.com/sparkwright/sparkwright"
)

// secondReading keeps what else the question can be read as, until the answer
// is there to compare it with.
func (j *job) secondReading(s *sparkwright.SecondReading) {
	j.run.Crosscheck = nil
	if s == nil {
		return
	}
	second := *s
	second.State, second.Why = sparkwright.SecondNotCompared, "there is no answer"
	j.run.Crosscheck = &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: "there is no answer", Second: &second}
}

// second is the run's second reading; nil when there is none.
func (j *job) second() *sparkwright.SecondReading {
	if j.run.Crosscheck == nil {
		return nil
	}
	return j.run.Crosscheck.Second
}

// describeSecond gives the second reading its tables, for who compares.
func (j *job) describeSecond() {
	second := j.second()
	if second == nil || j.catalog == nil {
		return
	}
	second.Tables = nil
	for i := range j.catalog.Tables {
		if t := &j.catalog.Tables[i]; slices.Contains(second.Views, t.View) {
			second.Tables = append(second.Tables, *t)
		}
	}
}
