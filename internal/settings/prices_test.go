package settings_test

import (
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func TestCost(t *testing.T) {
	t.Parallel()
	m := settings.Model{Prices: " anthropic:claude-*=3/15, bedrock:arn:x=y=1/2 ,openai:m=0.5/0"}
	for _, tt := range []struct {
		model   string
		in, out int
		want    float64
	}{
		{"anthropic:claude-x", 1_000_000, 100_000, 4.5},
		{"bedrock:arn:x=y", 1_000_000, 1_000_000, 3},
		{"openai:m", 1000, 1000, 0.0005},
		{"openai:m2", 1000, 1000, 0},
	} {
		if got := m.Cost(tt.model, tt.in, tt.out); got != tt.want {
			t.Errorf("%s costs %v, want %v", tt.model, got, tt.want)
		}
	}
}

func TestPricesRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"m", "m=1", "=1/2", "m=1/x", "m=-1/2", "m=NaN/1", "m=1/2, n"} {
		s := settings.Default()
		if err := s.SetValue("model.prices", text); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}
