package readplan_test

import (
	"slices"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	var reads []readplan.Read
	for _, location := range []string{"file:///data/a.csv", "/data/b/*.csv", "file:/data/a.csv", "s3://bucket/x", "", "file:///*"} {
		reads = append(reads, readplan.Read{Table: sparkwright.Table{Location: location}})
	}
	if got, want := readplan.Files(reads), []string{"/data/a.csv", "/data/b"}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}
