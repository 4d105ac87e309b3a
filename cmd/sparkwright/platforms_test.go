package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// TestPlatforms asks a server that speaks AWS's protocol for the states.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	states := map[string]string{ // by the last part of the id
		"started": `{"state":"STARTED"}`, "stopped": `{"state":"STOPPED","autoStartConfiguration":{"enabled":true}}`,
		"manual": `{"state":"STOPPED","autoStartConfiguration":{"enabled":false}}`, "gone": `{"state":"TERMINATED"}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch state := states[last]; {
		case strings.HasSuffix(r.URL.Path, "/functions/active/configuration"):
			_, _ = w.Write([]byte(`{"State":"Active"}`))
		case strings.HasSuffix(r.URL.Path, "/functions/pending/configuration"):
			_, _ = w.Write([]byte(`{"State":"Pending"}`))
		case strings.HasPrefix(r.URL.Path, "/applications/") && state != "":
			_, _ = fmt.Fprintf(w, `{"application":%s}`, state)
		default:
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"not there"}`))
		}
	}))
	t.Cleanup(srv.Close)
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "test", "")}
	for _, tt := range []struct {
		emr, postgres, function string
		want                    server.Platforms
		why                     int // things that are told
	}{
		{"started", "stopped", "active", server.Platforms{Lambda: "ready", EMR: "ready", EMRPostgres: "ready"}, 0},
		{"manual", "gone", "pending", server.Platforms{Lambda: "not_ready", EMR: "not ready", EMRPostgres: "not ready"}, 0},
		{"", "", "", server.Platforms{Lambda: "not_ready", EMR: "not ready", EMRPostgres: "not ready"}, 0},
		{"started", "nobody", "nobody", server.Platforms{Lambda: "error", EMR: "ready", EMRPostgres: "error"}, 2},
	} {
		s := settings.Default()
		s.Spark.EMRApplicationID, s.Spark.EMRPostgresApplicationID, s.Spark.LambdaFunction = tt.emr, tt.postgres, tt.function
		got := platformsOf(t.Context(), cfg, s)
		told := 0
		if got.Why != "" {
			told = len(strings.Split(got.Why, "; "))
		}
		got.Why = ""
		if diff := cmp.Diff(tt.want, got); diff != "" || told != tt.why {
			t.Errorf("%+v: %d things told\n%s", tt, told, diff)
		}
	}
}
