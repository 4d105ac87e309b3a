package batch_test

import (
	"os"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/batch"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	sandbox.HelperMain()
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cfg := batch.Config{Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g"}
	executortest.Run(t, batch.New(cfg), func() sparkwright.Executor { return batch.New(cfg) })
}
