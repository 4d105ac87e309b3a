package sparkwright_test

import (
	"testing"

	"github.com/sparkwright/sparkwright"
)

func TestConfidence(t *testing.T) {
	t.Parallel()
	second := func(state sparkwright.SecondState) *sparkwright.Crosscheck {
		return &sparkwright.Crosscheck{State: sparkwright.CrosscheckVerified, Second: &sparkwright.SecondReading{State: state}}
	}
	mismatch := &sparkwright.Crosscheck{State: sparkwright.CrosscheckMismatch}
	for _, tt := range []struct {
		name string
		run  sparkwright.Run
		want sparkwright.Confidence
	}{
		{"the planner", sparkwright.Run{Generator: "planner"}, sparkwright.ConfidenceHigh},
		{"the planner, and PostgreSQL differs", sparkwright.Run{Generator: "planner", Crosscheck: mismatch}, sparkwright.ConfidenceLow},
		{"a verified answer", sparkwright.Run{Generator: sparkwright.GeneratorVerified, Verified: true}, sparkwright.ConfidenceHigh},
		{"a model", sparkwright.Run{Generator: "model m"}, sparkwright.ConfidenceMedium},
		{"a model that agrees", sparkwright.Run{Generator: "model m", Crosscheck: second(sparkwright.SecondAgrees)}, sparkwright.ConfidenceHigh},
		{"a model that differs", sparkwright.Run{Generator: "model m", Crosscheck: second(sparkwright.SecondDiffers)}, sparkwright.ConfidenceLow},
		{"a model that is not compared", sparkwright.Run{Generator: "model m", Crosscheck: second(sparkwright.SecondNotCompared)}, sparkwright.ConfidenceMedium},
		{"a person", sparkwright.Run{Generator: "user"}, sparkwright.ConfidenceMedium},
	} {
		tt.run.State, tt.run.Result = sparkwright.RunSucceeded, &sparkwright.Manifest{}
		if got := tt.run.Confidence(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := (&sparkwright.Run{State: sparkwright.RunFailed, Generator: "planner"}).Confidence(); got != "" {
		t.Errorf("a failed run: %q", got)
	}
}
