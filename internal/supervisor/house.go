package supervisor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// House says what is kept of runs that are over. Pinned runs are kept.
type House struct {
	Age   time.Duration // at which a run is removed with its files; 0 = never
	Bytes int64         // of all results here, above which the oldest runs are removed; 0 = any
	// Also cleans up what others keep, at the same times; may be nil.
	Also func(ctx context.Context) error
}

const (
	sweepEvery = 10 * time.Minute
	// strayAge is how old a directory without a run has to be: an attempt's
	// directory is made a moment after its run, by whichever server.
	strayAge = 24 * time.Hour
	cacheAge = 90 * 24 * time.Hour
)

// Sweep removes what need not be kept any more. It is safe to repeat and to
// interrupt: a run goes before its files here, and files without a run go later.
func (s *Service) Sweep(ctx context.Context) error {
	var errs []error
	h := s.now().House
	if h.Age > 0 {
		old, err := s.cfg.Store.Old(ctx, time.Now().Add(-h.Age), 1000)
		errs = append(errs, err)
		for _, id := range old {
			errs = append(errs, s.remove(ctx, id))
		}
	}
	sizes, err := s.strays(ctx)
	errs = append(errs, err)
	if h.Bytes > 0 && err == nil {
		errs = append(errs, s.shrink(ctx, sizes, h.Bytes))
	}
	errs = append(errs, s.cfg.Store.ForgetAnalyses(ctx, time.Now().Add(-cacheAge)))
	if h.Also != nil {
		errs = append(errs, h.Also(ctx))
	}
	return errors.Join(errs...)
}

// remove deletes a run that is over. One that has been pinned or deleted
// meanwhile is left alone.
func (s *Service) remove(ctx context.Context, id string) error {
	run, err := s.cfg.Store.Run(ctx, id)
	if err == nil {
		if run.Pinned {
			return nil
		}
		err = s.delete(ctx, run)
	}
	switch sparkwright.ErrorCode(err) {
	case sparkwright.CodeNotFound, sparkwright.CodeConflict:
		return nil
	default:
		return err
	}
}

// delete removes a run that is over. What it has in the bucket's output/ goes
// first: nothing but the run tells where that is, so the run stays for another
// try when it cannot be removed. A location that the request has chosen is the
// caller's.
func (s *Service) delete(ctx context.Context, run *sparkwright.Run) error {
	if s.now().RemoveResult != nil && run.State.Final() && strings.HasPrefix(run.Placement.OutputPath, "s3://"+s.now().AWS.Bucket+"/output/") {
		if err := s.now().RemoveResult(ctx, resultsInS3(run)); err != nil {
			return err
		}
	}
	if err := s.cfg.Store.Delete(ctx, run.ID); err != nil {
		return err
	}
	return s.removeFiles(run.ID)
}

// strays removes the directories of runs that are no more, and returns the
// sizes of the others.
func (s *Service) strays(ctx context.Context) (map[string]int64, error) {
	entries, err := os.ReadDir(s.cfg.ResultsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "the results cannot be listed: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "r_") {
			ids = append(ids, e.Name())
		}
	}
	known, err := s.cfg.Store.Tails(ctx, ids)
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for _, id := range ids {
		if _, is := known[id]; is {
			sizes[id] = sizeOf(filepath.Join(s.cfg.ResultsDir, id))
			continue
		}
		info, err := os.Stat(filepath.Join(s.cfg.ResultsDir, id))
		if err == nil && time.Since(info.ModTime()) > strayAge {
			if err = s.removeFiles(id); err != nil {
				return nil, err
			}
		}
	}
	return sizes, nil
}

// shrink removes the oldest runs until the results take no more than limit.
func (s *Service) shrink(ctx context.Context, sizes map[string]int64, limit int64) error {
	var total int64
	for _, n := range sizes {
		total += n
	}
	for total > limit {
		old, err := s.cfg.Store.Old(ctx, time.Now(), 100)
		if err != nil || len(old) == 0 {
			return err
		}
		for _, id := range old {
			if total <= limit {
				return nil
			}
			if err = s.remove(ctx, id); err != nil {
				return err
			}
			total -= sizes[id]
		}
	}
	return nil
}

func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}
