package api

import (
	"context"
	"net/http"

	"github.com/sparkwright/sparkwright/internal/doctor"
)

// Doctor looks for what would make a run fail, and changes nothing.
type Doctor interface {
	// Examine makes the quick checks, or all of them. What it finds is in the
	// report; an error says that it could not look.
	Examine(ctx context.Context, full bool) (*doctor.Report, error)
}

// DoctorReport is what all checks found, in their order.
type DoctorReport struct {
	Level    string          `json:"level" enum:"ok,skipped,warn,fail" doc:"The worst of the findings; a warning keeps no run from working"`
	Findings []DoctorFinding `json:"findings"`
	Seconds  float64         `json:"seconds"`
}

// DoctorFinding is what one check found.
type DoctorFinding struct {
	ID      string      `json:"id" doc:"group.name"`
	Group   string      `json:"group"`
	Title   string      `json:"title"`
	How     string      `json:"how" doc:"How it looks"`
	About   string      `json:"about,omitempty" doc:"The connection that it looks at"`
	Level   string      `json:"level" enum:"ok,skipped,warn,fail"`
	Message string      `json:"message"`
	Because string      `json:"because,omitempty"`
	Fixes   []DoctorFix `json:"fixes,omitempty"`
	Fixable bool        `json:"fixable" doc:"sparkwright doctor --fix mends it"`
	Seconds float64     `json:"seconds"`
}

// DoctorFix is one way to mend what was found.
type DoctorFix struct {
	Kind string `json:"kind" enum:"command,sql,iam,terraform,settings"`
	Text string `json:"text"`
}

func (a *API) registerDoctor() {
	op := operation("examine", http.MethodGet, "/doctor", "Look for what would make a run fail, and change nothing", "meta")
	register(a, op, func(ctx context.Context, in *struct {
		Full bool `query:"full" doc:"All checks, not only the quick ones that are made before runs"`
	},
	) (*body[DoctorReport], error) {
		if a.cfg.Doctor == nil {
			return nil, absent("checks of the doctor")
		}
		report, err := a.cfg.Doctor.Examine(ctx, in.Full)
		if err != nil {
			return nil, err
		}
		return reply(doctorReport(report), nil)
	})
}

func doctorReport(r *doctor.Report) DoctorReport {
	out := DoctorReport{Level: string(r.Level), Findings: make([]DoctorFinding, len(r.Findings)), Seconds: r.Seconds}
	for i := range r.Findings {
		f := &r.Findings[i]
		to := DoctorFinding{
			ID: f.ID, Group: f.Group, Title: f.Title, How: f.How, About: f.About, Level: string(f.Level), Message: f.Message,
			Because: f.Because, Fixable: f.Fixable, Seconds: f.Seconds,
		}
		for _, fix := range f.Fixes {
			to.Fixes = append(to.Fixes, DoctorFix{Kind: string(fix.Kind), Text: fix.Text})
		}
		out.Findings[i] = to
	}
	return out
}
