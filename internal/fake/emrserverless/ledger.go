package emrserverless

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// The outcomes of a StartJobRun in the ledger. Any other begins with
// "refused: ".
const (
	OutcomeAccepted = "accepted" // a new job
	OutcomeReplayed = "replayed" // the token was known: no new job
)

// Entry is one line of the ledger.
type Entry struct {
	At            time.Time `json:"at"`
	Operation     string    `json:"operation"` // StartJobRun or CancelJobRun
	Application   string    `json:"application"`
	JobRun        string    `json:"job_run,omitempty"`
	Name          string    `json:"name,omitempty"`
	ClientToken   string    `json:"client_token,omitempty"`
	RequestSHA256 string    `json:"request_sha256,omitempty"`
	Outcome       string    `json:"outcome"`
}

// Ledger is the file that has a line for every call that could have started
// or ended a job. It is written before the call is answered, so it knows of
// answers that got lost; tests count with it what the client cannot know.
type Ledger struct {
	mu   sync.Mutex
	file *os.File // nil = nothing is kept
}

func openLedger(path string) (*Ledger, error) {
	if path == "" {
		return &Ledger{}, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // G304: the operator's choice
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return &Ledger{file: f}, nil
}

func (l *Ledger) write(e Entry, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	e.At = at.UTC()
	line, err := json.Marshal(e) //nolint:gosec // G117: a token of idempotency is no secret
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

func (l *Ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// ReadLedger reads a ledger. One that does not exist is empty.
func ReadLedger(path string) ([]Entry, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the operator's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer func() { _ = f.Close() }()
	var all []Entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxBody)
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// Duplicates returns, by name, the job runs of every name that started more
// than one. A client that names each attempt once wants it empty.
func Duplicates(entries []Entry) map[string][]string {
	started := map[string][]string{}
	for _, e := range entries {
		if e.Operation == "StartJobRun" && e.Outcome == OutcomeAccepted {
			started[e.Name] = append(started[e.Name], e.JobRun)
		}
	}
	for name, jobs := range started {
		if len(jobs) < 2 {
			delete(started, name)
		}
	}
	return started
}
