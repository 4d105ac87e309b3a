package main

import (
	"context"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// modules are the Python modules of jobs elsewhere, installed at the first need.
// A package index that does not answer is not asked by each run.
type modules struct {
	mu      sync.Mutex
	archive []byte
	err     error
	tried   time.Time
}

const (
	modulesTime  = 2 * time.Minute  // of an installation
	modulesAgain = 10 * time.Minute // from one that failed to the next
)

// get returns the archive; options says where and from where it is installed.
func (m *modules) get(ctx context.Context, options func() (localruntime.Options, error)) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.archive != nil || m.err != nil && time.Since(m.tried) < modulesAgain {
		return m.archive, m.err
	}
	opt, err := options()
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, modulesTime)
	defer cancel()
	m.archive, err = localruntime.Modules(within, opt)
	if ctx.Err() != nil { // the caller's end says nothing of the index
		return nil, err
	}
	m.err, m.tried = err, time.Now()
	return m.archive, m.err
}
