package eval

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/sparkwright/sparkwright"
)

// Recorded is one exchange with a model, as it is kept.
type Recorded struct {
	Key    string                 `json:"key"` // SHA-256 of the model's name and the request
	Model  string                 `json:"model"`
	User   string                 `json:"user,omitempty"` // for people
	Reply  sparkwright.ModelReply `json:"reply"`
	Number int                    `json:"number"` // of the same request, from 1: a model need not say the same twice
}

// key is the same for the same request to the same model.
func key(model string, req sparkwright.ModelRequest) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d", model, req.System, req.User, req.MaxTokens))
	return hex.EncodeToString(sum[:])
}

// Recorder is a Model that keeps what another one replies. Close it.
type Recorder struct {
	model sparkwright.Model

	mu   sync.Mutex
	file *os.File
	seen map[string]int
}

var _ sparkwright.Model = (*Recorder)(nil)

// Record keeps the replies of model in a file: a new one, or after those that
// a measurement that broke off has kept there.
func Record(model sparkwright.Model, path string, resume bool) (*Recorder, error) {
	flag := os.O_TRUNC
	if resume {
		flag = os.O_APPEND
	}
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_WRONLY|flag, 0o600)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "the replies cannot be recorded: %w", err)
	}
	return &Recorder{model: model, file: f, seen: map[string]int{}}, nil
}

// Name implements sparkwright.Model.
func (r *Recorder) Name() string { return r.model.Name() }

// Complete implements sparkwright.Model. Failures are not recorded.
func (r *Recorder) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	reply, err := r.model.Complete(ctx, req, onText)
	if err != nil {
		return nil, err
	}
	k := key(r.model.Name(), req)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[k]++
	line := Recorded{Key: k, Model: r.model.Name(), User: req.User, Reply: *reply, Number: r.seen[k]}
	if err := json.NewEncoder(r.file).Encode(line); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "the reply cannot be recorded: %w", err)
	}
	return reply, nil
}

// Close ends the recording.
func (r *Recorder) Close() error {
	if err := r.file.Close(); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the replies cannot be recorded: %w", err)
	}
	return nil
}

// Player is a Model that replies what was recorded, without any network.
type Player struct {
	name string

	mu      sync.Mutex
	replies map[string][]sparkwright.ModelReply
	asked   map[string]int
}

var _ sparkwright.Model = (*Player)(nil)

// Replay reads a recording. All of it must be of one model.
func Replay(path string) (*Player, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the recording cannot be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	p := &Player{replies: map[string][]sparkwright.ModelReply{}, asked: map[string]int{}}
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var r Recorded
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%s is no recording: %w", path, err)
		}
		if p.name != "" && p.name != r.Model {
			return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%s holds replies of %s and of %s", path, p.name, r.Model)
		}
		p.name = r.Model
		p.replies[r.Key] = append(p.replies[r.Key], r.Reply)
	}
	if p.name == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%s holds no replies", path)
	}
	return p, nil
}

// Name implements sparkwright.Model: the name of the model that was recorded.
func (p *Player) Name() string { return p.name }

// Complete implements sparkwright.Model. The same request asked again gets the
// next recorded reply, then the last one. A request that was not recorded is
// CodeNotFound: prompts, catalog or question have changed since.
func (p *Player) Complete(_ context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	k := key(p.name, req)
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.replies[k]
	if len(list) == 0 {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeNotFound, Message: "the recording has no reply to this request",
			Because: "the prompt, the catalog or the question is another one than it was then", Remedy: "record again: sparkwright eval --record FILE",
		}
	}
	reply := list[min(p.asked[k], len(list)-1)]
	p.asked[k]++
	if onText != nil {
		onText(reply.Text)
	}
	return &reply, nil
}
