package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// TestChangedSettingsAreInForce: what another process writes to settings.json
// holds for the next step of a run; what cannot be read changes nothing.
func TestChangedSettingsAreInForce(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "test")
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	a := newApp(nil, io.Discard, io.Discard)
	a.home, a.log = t.TempDir(), slog.New(slog.DiscardHandler)
	s, err := settings.Load(a.home)
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.newVarying(t.Context(), s, nil, nil, supervisor.Varying{Executors: map[string]sparkwright.Executor{}})
	if err != nil {
		t.Fatal(err)
	}
	first := v.now()
	if first.AWS.Configured() || len(first.Executors) != 0 || first.Limits.Repairs != s.Spark.MaxRetries {
		t.Errorf("at the start: %+v", first)
	}
	change := func(do func(*settings.Settings)) {
		t.Helper()
		if wrong := settings.Update(a.home, func(s *settings.Settings) error { do(s); return nil }); wrong != nil {
			t.Fatal(wrong)
		}
	}
	change(func(s *settings.Settings) {
		s.Spark.EMRApplicationID, s.Spark.S3Bucket, s.Spark.MaxRetries = "00standard", "bucket", 7
	})
	second := v.now()
	if second.AWS.Application != "00standard" || second.Executors[emrserverless.Name] == nil || second.Limits.Repairs != 7 || second.RemoveResult == nil {
		t.Errorf("after a change: %+v", second)
	}
	if v.now() != second || len(first.Executors) != 0 {
		t.Error("what is held is changed, or made again without need")
	}
	change(func(s *settings.Settings) { s.Model.BaseURL, s.Model.Name = "http://127.0.0.1:1/v1", "small" })
	second = v.now()
	if second.Generator == nil || !strings.Contains(second.GeneratorName, "small") || !strings.Contains(v.settingsNow().Model.Name, "small") {
		t.Errorf("after a change of the model: %q", second.GeneratorName)
	}
	refuse := errors.New("refused")
	renew := v.renew
	v.renew = func(context.Context, *settings.Settings, *supervisor.Varying) (*supervisor.Varying, error) {
		return nil, refuse
	}
	change(func(s *settings.Settings) { s.Spark.MaxRetries = 8 })
	if v.now() != second {
		t.Error("settings that cannot be used take effect")
	}
	v.renew = renew
	change(func(s *settings.Settings) { s.Spark.EMRApplicationID, s.Spark.MaxRetries = "", 9 })
	last := v.now()
	if last.AWS.Configured() || last.Executors[emrserverless.Name] == nil || last.Limits.Repairs != 9 {
		t.Errorf("after AWS is gone, with attempts still there: %+v", last)
	}
	p, err := supervisorPlace(last)
	if err != nil || p.Executor != placement.Connect {
		t.Errorf("%+v, %v", p, err)
	}
}

// supervisorPlace decides as the supervisor does for a small question.
func supervisorPlace(v *supervisor.Varying) (sparkwright.Placement, error) {
	place := v.Place
	if place == nil {
		place = placement.Decide
	}
	return place(placement.Input{AWS: v.AWS, Local: "here"})
}
