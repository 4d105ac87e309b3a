package eval

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sparkwright/sparkwright"
)

// Asker answers questions. Implementations are safe for concurrent use.
type Asker interface {
	// Ask answers one question after those before it. An error means that the
	// measurement cannot go on; an answer that failed is in the reply.
	Ask(ctx context.Context, q *Question) (*Reply, error)
}

// Reply is what came of a question: rows, or a decline, or a failure.
type Reply struct {
	Rows       [][]any
	Declined   *sparkwright.Declined
	Failed     string // why there are no rows
	Understood string
	Code       string
	Generator  string
	Usage      sparkwright.Usage
	Repairs    int
	Findings   int // of the lint, told with the answer
}

// Outcome is how a question ended.
type Outcome string

// The outcomes.
const (
	Right    Outcome = "right"
	Wrong    Outcome = "wrong"
	Declined Outcome = "declined"
	Failed   Outcome = "failed" // no rows and not declined
)

// Answer is one line of the file of answers.
type Answer struct {
	ID         string                    `json:"id"`
	Rows       [][]any                   `json:"rows"`
	Declined   bool                      `json:"declined"`
	Reason     sparkwright.DeclineReason `json:"reason,omitempty"`
	Error      string                    `json:"error,omitempty"`
	Outcome    Outcome                   `json:"outcome"`
	Detail     string                    `json:"detail,omitempty"` // what was understood, or why not
	Code       string                    `json:"code,omitempty"`
	Generator  string                    `json:"generator,omitempty"`
	Usage      sparkwright.Usage         `json:"usage"`
	Repairs    int                       `json:"repairs,omitempty"`
	Findings   int                       `json:"findings,omitempty"`
	Seconds    float64                   `json:"seconds"`
	AnsweredAt time.Time                 `json:"answered_at"`
}

// Scored is a question with its answer.
type Scored struct {
	Question
	Answer Answer
}

// Good reports whether a question ended as it should.
func (s *Scored) Good() bool {
	if s.Answerable {
		return s.Answer.Outcome == Right
	}
	return s.Answer.Outcome == Declined
}

// Options say how a suite is run.
type Options struct {
	Answers  string // file for every answer, one JSON object a line; "" = none
	Resume   bool   // keep the answers that the file has already
	Parallel int    // questions at a time; results do not depend on it
	// Told is called after each question, one call at a time; may be nil.
	Told func(done, all int, s *Scored)
}

// Run asks every question of the suite that the file of answers does not have
// yet, scores what comes, and adds it to the file.
func Run(ctx context.Context, suite *Suite, ask Asker, gold Gold, o Options) ([]Scored, error) {
	done, file, err := openAnswers(o.Answers, o.Resume)
	if err != nil {
		return nil, err
	}
	list := make([]Scored, len(suite.Questions))
	var mu sync.Mutex // of file and count
	count := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, o.Parallel))
	for i := range suite.Questions {
		q := &suite.Questions[i]
		if a, ok := done[q.ID]; ok {
			list[i] = Scored{Question: *q, Answer: a}
			count++
			continue
		}
		group.Go(func() error {
			a, e := one(ctx, q, ask, gold)
			if e != nil {
				return e
			}
			list[i] = Scored{Question: *q, Answer: *a}
			mu.Lock()
			defer mu.Unlock()
			count++
			if o.Told != nil {
				o.Told(count, len(list), &list[i])
			}
			return writeAnswer(file, a)
		})
	}
	err = errors.Join(group.Wait(), closeAnswers(file))
	return list, err
}

func one(ctx context.Context, q *Question, ask Asker, gold Gold) (*Answer, error) {
	began := time.Now()
	r, err := ask.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	a := &Answer{
		ID: q.ID, Detail: r.Understood, Code: r.Code, Generator: r.Generator, Usage: r.Usage, Repairs: r.Repairs, Findings: r.Findings,
		Seconds: time.Since(began).Seconds(), AnsweredAt: began.UTC().Truncate(time.Second),
	}
	switch {
	case r.Declined != nil:
		a.Outcome, a.Declined, a.Reason, a.Detail = Declined, true, r.Declined.Reason, r.Declined.Message
	case r.Failed != "":
		a.Outcome, a.Error = Failed, r.Failed
	default:
		a.Outcome, a.Rows = Wrong, r.Rows
		if a.Rows == nil {
			a.Rows = [][]any{}
		}
		if q.Answerable {
			ok, err := matchesGold(ctx, gold, q, a.Rows)
			if err != nil {
				return nil, err
			}
			if ok {
				a.Outcome = Right
			}
		}
	}
	return a, ctx.Err()
}

// matchesGold reports whether rows equal those of an alternative of the gold.
// An alternative that does not run is passed over, unless none runs.
func matchesGold(ctx context.Context, db Gold, q *Question, rows [][]any) (bool, error) {
	ordered := asksOrder(q.Question)
	if q.GoldRows != nil {
		return matches(gold{Rows: q.GoldRows}, rows, false), nil
	}
	var errs []error
	alternatives := expandGold(q.GoldSQL)
	for _, alt := range alternatives {
		names, want, err := db.Query(ctx, q.Database, alt.SQL)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if matches(gold{Rows: want, Braces: alt.Braces, Order: orderOf(alt.SQL, names)}, rows, ordered) {
			return true, nil
		}
	}
	if len(errs) == len(alternatives) {
		return false, sparkwright.Errorf(sparkwright.CodeInvalid, "no SQL of %s runs: %w", q.ID, errors.Join(errs...))
	}
	return false, nil
}

// Agree reports whether the two SQL texts of a question, which were written
// apart from one another, answer the same; why says where they do not.
func Agree(ctx context.Context, db Gold, q *Question) (why string, err error) {
	_, rows, err := db.Query(ctx, q.Database, q.CheckSQL)
	if err != nil {
		return "check_sql does not run: " + err.Error(), ctx.Err()
	}
	ok, err := matchesGold(ctx, db, q, rows)
	switch {
	case err != nil:
		return "gold_sql does not run: " + err.Error(), ctx.Err()
	case len(rows) == 0:
		return "both may be empty, which any wrong query is, too", nil
	case !ok:
		return "gold_sql and check_sql have different answers", nil
	}
	return "", nil
}

// ReadAnswers reads a file of answers that Run has written.
func ReadAnswers(path string) (map[string]Answer, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the answers cannot be read: %w", err)
	}
	done, f, err := openAnswers(path, true)
	if err != nil {
		return nil, err
	}
	return done, closeAnswers(f)
}
