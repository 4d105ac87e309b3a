package codegen

import (
	"context"

	"github.com/sparkwright/sparkwright"
)

// Paired has a model answer, and the planner read the same question: what the
// planner fully understands is the model's answer's second reading. The planner
// never stands in the model's way.
type Paired struct {
	model   sparkwright.VersionedGenerator
	planner sparkwright.Generator
}

var _ sparkwright.VersionedGenerator = (*Paired)(nil)

// Pair returns a Paired.
func Pair(model sparkwright.VersionedGenerator, planner sparkwright.Generator) *Paired {
	return &Paired{model: model, planner: planner}
}

// pairedVersion is raised when kept second readings are to be made anew.
const pairedVersion = " paired 1"

// Version implements sparkwright.VersionedGenerator.
func (p *Paired) Version() string { return p.model.Version() + pairedVersion }

// Generate implements sparkwright.Generator.
func (p *Paired) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	reply, err := p.model.Generate(ctx, req)
	if err != nil || reply.Analysis == nil {
		return reply, err
	}
	req.Repair, req.OnText = nil, nil // it reads the question, not what failed
	if other, otherErr := p.planner.Generate(ctx, req); otherErr == nil && other.Analysis != nil {
		a := other.Analysis
		reply.Analysis.Second = &sparkwright.SecondReading{
			State: sparkwright.SecondNotCompared, Understood: a.Understood, Code: a.Code, Views: a.Views,
		}
	}
	return reply, nil
}
