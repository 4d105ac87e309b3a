package codegen_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
)

func overTheWire(t *testing.T, name string, answers ...openaitest.Answer) *codegen.Generator {
	t.Helper()
	m, err := openai.New(openai.Config{BaseURL: openaitest.New(t, answers...).URL, Model: name})
	if err != nil {
		t.Fatal(err)
	}
	return codegen.New(m, codegen.Options{})
}

// What the server counts is what limits.run_tokens is compared with; a decline
// costs tokens too.
func TestUsageIsWhatTheServerCounts(t *testing.T) {
	t.Parallel()
	g := overTheWire(t, "m",
		openaitest.Stream(openaitest.Chunk(goodReply, "stop"), openaitest.Usage(1200, 34), openaitest.Done),
		openaitest.Stream(openaitest.Chunk("DECLINED: unanswerable: No.", "stop"), openaitest.Usage(1300, 5), openaitest.Done),
		openaitest.Stream(openaitest.Chunk(goodReply, "stop"), openaitest.Done), // a server that does not count
	)
	for _, want := range []sparkwright.Usage{
		{InputTokens: 1200, OutputTokens: 34, Calls: 1}, {InputTokens: 1300, OutputTokens: 5, Calls: 1}, {Calls: 1},
	} {
		reply, err := g.Generate(t.Context(), sparkwright.GenerateRequest{Question: "q", Catalog: shop()})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, reply.Usage); diff != "" {
			t.Error(diff)
		}
		if a := reply.Analysis; a != nil && a.Tokens != want.InputTokens+want.OutputTokens {
			t.Errorf("the analysis has %d tokens, want those of %+v", a.Tokens, want)
		}
	}
}

// What an answer costs is told where a price is known.
func TestCost(t *testing.T) {
	t.Parallel()
	m := &model{text: goodReply}
	cost := func(name string, in, out int) float64 {
		if name != "openai:fake" {
			t.Errorf("the price of %s is asked for", name)
		}
		return float64(in) + float64(out)/1000
	}
	reply, err := codegen.New(m, codegen.Options{MaxTokens: 77, Cost: cost}).Generate(t.Context(), sparkwright.GenerateRequest{Question: "q", Catalog: shop()})
	if err != nil || reply.Usage.USD != 40.002 || m.request.MaxTokens != 77 {
		t.Errorf("%+v, %v, at most %d tokens", reply, err, m.request.MaxTokens)
	}
}

// A reply that makes no sense is asked for once more; both have been paid for.
func TestNonsenseIsAskedAgain(t *testing.T) {
	t.Parallel()
	counted := openaitest.Usage(100, 10)
	chat := openaitest.Stream(openaitest.Chunk("Sure, I can do that!", "stop"), counted, openaitest.Done)
	code := openaitest.Stream(openaitest.Chunk(goodReply, "stop"), counted, openaitest.Done)
	twice := sparkwright.Usage{InputTokens: 200, OutputTokens: 20, Calls: 2}
	for _, tt := range []struct {
		name   string
		second openaitest.Answer
		code   sparkwright.Code
		want   sparkwright.Usage
	}{
		{"then it answers", code, "", twice},
		{"it chats again", chat, sparkwright.CodeJobFailed, twice},
		{"it fails", openaitest.Status(400, nil, "no"), sparkwright.CodeInvalid, sparkwright.Usage{InputTokens: 100, OutputTokens: 10, Calls: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reply, err := overTheWire(t, "m", chat, tt.second).Generate(t.Context(), sparkwright.GenerateRequest{Question: "q", Catalog: shop()})
			if sparkwright.ErrorCode(err) != tt.code || reply == nil || reply.Usage != tt.want || tt.code == "" && reply.Analysis == nil {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
}

// kept is a Cache in memory.
type kept struct {
	replies map[string]*sparkwright.ModelReply
	err     error
}

func (k *kept) CachedReply(_ context.Context, key string) (*sparkwright.ModelReply, error) {
	return k.replies[key], k.err
}

func (k *kept) CacheReply(_ context.Context, key string, r *sparkwright.ModelReply) error {
	if k.err == nil {
		k.replies[key] = r
	}
	return k.err
}

// The same prompt is answered once by the same model; repairs, other prompts
// and what makes no sense are asked again. A broken cache only costs calls.
func TestRepliesAreKept(t *testing.T) {
	t.Parallel()
	cache := &kept{replies: map[string]*sparkwright.ModelReply{}}
	m := &model{text: goodReply}
	g := codegen.New(m, codegen.Options{Cache: cache})
	ask := func(req sparkwright.GenerateRequest) (usage sparkwright.Usage, told string) {
		t.Helper()
		req.Catalog = shop()
		req.OnText = func(text string) { told += text }
		reply, err := g.Generate(t.Context(), req)
		if err != nil {
			return sparkwright.Usage{}, told
		}
		return reply.Usage, told
	}
	called := sparkwright.Usage{InputTokens: 40, OutputTokens: 2, Calls: 1}
	repair := &sparkwright.Repair{Code: "result = 1", Fault: sparkwright.Fault{Class: "X", Message: "m"}}
	for i, tt := range []struct {
		req  sparkwright.GenerateRequest
		want sparkwright.Usage
	}{
		{sparkwright.GenerateRequest{Question: "q"}, called},
		{sparkwright.GenerateRequest{Question: "q"}, sparkwright.Usage{Cached: true}},
		{sparkwright.GenerateRequest{Question: "other"}, called},
		{sparkwright.GenerateRequest{Question: "q", Repair: repair}, called},
		{sparkwright.GenerateRequest{Question: "q", Repair: repair}, called},
	} {
		usage, told := ask(tt.req)
		if usage != tt.want || usage.Cached && told != goodReply {
			t.Errorf("%d: %+v, told %q; want %+v", i, usage, told, tt.want)
		}
	}
	m.text = "nothing of use"
	for range 2 {
		if usage, _ := ask(sparkwright.GenerateRequest{Question: "third"}); usage.Cached {
			t.Error("what makes no sense is kept")
		}
	}
	m.text, cache.err = goodReply, errors.New("disk full")
	for range 2 {
		if usage, _ := ask(sparkwright.GenerateRequest{Question: "q"}); usage != called {
			t.Errorf("with a broken cache: %+v", usage)
		}
	}
}

// Answers that are kept are those of the same model and the same prompts.
func TestVersion(t *testing.T) {
	t.Parallel()
	small, again, large := overTheWire(t, "small", openaitest.Hang), overTheWire(t, "small", openaitest.Hang), overTheWire(t, "large", openaitest.Hang)
	if small.Version() == "" || small.Version() != again.Version() {
		t.Errorf("the same generator has the versions %q and %q", small.Version(), again.Version())
	}
	if small.Version() == large.Version() {
		t.Errorf("another model has the same version %q", small.Version())
	}
	prompts := map[string]string{"prompts/system.md": "Write code.", "prompts/user.md.tmpl": "{{.Question}}"}
	base := codegen.VersionOf(prompts, "m")
	for path, text := range map[string]string{"prompts/system.md": "Write good code.", "prompts/more.tmpl": ""} {
		changed := map[string]string{"prompts/system.md": prompts["prompts/system.md"], "prompts/user.md.tmpl": prompts["prompts/user.md.tmpl"], path: text}
		if codegen.VersionOf(changed, "m") == base {
			t.Errorf("%s has changed, the version has not", path)
		}
	}
}
