package supervisor

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// classLint is the class of the fault that findings of the lint make.
const classLint = "LINT"

// weigh decides what becomes of the lint's findings: those that a model can
// repair go back to it, once; the others, and those that are left, are told
// with the answer. What a person wrote is theirs to judge.
func (j *job) weigh(findings []sparkwright.Finding) *sparkwright.Fault {
	j.run.Findings = nil
	var lines []string
	first := 0
	for _, f := range findings {
		if f.Repair {
			if first == 0 {
				first = f.Line
			}
			lines = append(lines, fmt.Sprintf("line %d: %s (%s)", f.Line, f.Message, f.Rule))
		}
		f.Repair = false
		j.run.Findings = append(j.run.Findings, f)
	}
	if len(lines) == 0 || j.work.Linted || !strings.HasPrefix(j.run.Generator, "model ") || j.noRepair() != "" {
		return nil
	}
	j.work.Linted = true
	return &sparkwright.Fault{
		Kind: sparkwright.FaultCode, Class: classLint, Line: first,
		Message: "the analysis runs, and its answer may be wrong: " + strings.Join(lines, "; "),
	}
}

// unrepaired reports whether a repair that came to nothing was only asked for
// by the lint: the analysis then goes on as it was, with the findings told.
func unrepaired(r *sparkwright.Repair) bool { return r != nil && r.Fault.Class == classLint }
