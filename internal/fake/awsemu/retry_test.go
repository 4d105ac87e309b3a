package awsemu

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// A reply that breaks off is asked for again; a refusal is not.
func TestRepliesThatAreCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int // of the first reply
		calls  int32
		fails  bool
	}{{"cut", http.StatusOK, 2, false}, {"refused", http.StatusInternalServerError, 1, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				reply := `<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpcSet/></DescribeVpcsResponse>`
				if calls.Add(1) > 1 {
					_, _ = w.Write([]byte(reply))
					return
				}
				if tt.status == http.StatusOK {
					w.Header().Set("Content-Length", "500") // and less follows
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(reply[:40]))
			}))
			t.Cleanup(srv.Close)
			_, err := ec2.NewFromConfig((&Server{url: srv.URL}).Config()).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
			if (err != nil) != tt.fails || calls.Load() != tt.calls {
				t.Errorf("%d calls, %v", calls.Load(), err)
			}
		})
	}
}
