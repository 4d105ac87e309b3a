package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/upload"
)

// renewTime bounds how long it takes to act on changed settings.
const renewTime = 20 * time.Second

// varying is what settings.json says at the moment. The page, the API and
// commands of other processes change it while runs are under way.
type varying struct {
	ctx  context.Context //nolint:containedctx // of the process: the settings are looked at in the middle of anything
	home string
	log  *slog.Logger
	// renew makes of the settings what follows from them; before is what was.
	renew func(ctx context.Context, s *settings.Settings, before *supervisor.Varying) (*supervisor.Varying, error)

	mu       sync.Mutex
	stamp    string
	settings *settings.Settings
	value    *supervisor.Varying
}

// now implements supervisor.Config.Now. Settings that cannot be read change
// nothing.
func (v *varying) now() *supervisor.Varying {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.look()
	return v.value
}

// settingsNow are the settings that are in force.
func (v *varying) settingsNow() *settings.Settings {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.look()
	return v.settings
}

// look renews what is held when the file has changed.
func (v *varying) look() {
	stamp := stampOf(filepath.Join(v.home, settings.FileName))
	if stamp == v.stamp {
		return
	}
	v.stamp = stamp
	ctx, cancel := context.WithTimeout(v.ctx, renewTime)
	defer cancel()
	s, err := settings.Load(v.home)
	if err == nil {
		var next *supervisor.Varying
		if next, err = v.renew(ctx, s, v.value); err == nil {
			v.settings, v.value = s, next
		}
	}
	if err != nil {
		v.log.WarnContext(ctx, "changed settings are not in force", "error", err)
	}
}

// stampOf changes with a file.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// newVarying begins with what the settings say at the start. Executors that
// have attempts stay when the settings do not name them any more.
func (a *app) newVarying(ctx context.Context, s *settings.Settings, st *store.Store, uploads *upload.Store, first supervisor.Varying) (*varying, error) {
	model := modelPart(s)
	renew := func(ctx context.Context, s *settings.Settings, before *supervisor.Varying) (*supervisor.Varying, error) {
		next := *before
		next.Executors = maps.Clone(before.Executors)
		next.Limits, next.House = limits(s), house(a.home, s, st, uploads)
		next.Copy = copies(a.home, s).Copy
		next.Engine, next.Rates = s.Spark.Engine, rates(s)
		next.Direct = supervisor.DirectLimits{Cost: float64(s.Spark.DirectCost), Time: time.Duration(s.Spark.DirectSeconds) * time.Second}
		if part := modelPart(s); part != model {
			var err error
			if next.Generator, next.GeneratorName, err = a.generator(ctx, s); err != nil {
				return nil, err
			}
			model = part
		}
		next.Preflight = a.preflight(s)
		return &next, a.awsExecutors(ctx, s, &next)
	}
	v := &varying{ctx: context.WithoutCancel(ctx), home: a.home, log: a.log, renew: renew, settings: s, stamp: stampOf(filepath.Join(a.home, settings.FileName))}
	var err error
	v.value, err = renew(ctx, s, &first)
	return v, err
}
