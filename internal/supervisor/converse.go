package supervisor

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// maxTurns is how far back a conversation is told.
const maxTurns = 10

// previous is what a follow-up refers to: the run's parent and its parents.
// Runs of other users are as if they were not there. A parent that asked back
// is not part of the conversation: the question answers it.
func (s *Service) previous(ctx context.Context, user, parent string) (p *sparkwright.Previous, c *sparkwright.Clarified, err error) {
	for id := parent; id != "" && (p == nil || len(p.Questions) < maxTurns); {
		run, err := s.cfg.Store.Run(ctx, id)
		if err == nil && run.User != user {
			err = sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %s", id)
		}
		if sparkwright.ErrorCode(err) == sparkwright.CodeNotFound && (p != nil || c != nil) {
			break // retention has removed the older ones
		}
		if err != nil {
			return nil, nil, err
		}
		id = run.Parent
		if askedBack(run) {
			if c == nil && p == nil {
				c = &sparkwright.Clarified{Question: run.Question.Text, Asked: run.Declined.Message, Choices: run.Declined.Choices}
			}
			continue
		}
		if p == nil {
			p = &sparkwright.Previous{Code: run.Analysis, Understood: run.Understood}
		}
		p.Questions = append(p.Questions, run.Question.Text)
	}
	if p != nil {
		slices.Reverse(p.Questions)
	}
	return p, c, nil
}

// askedBack reports whether a run ended with a question to the person.
func askedBack(run *sparkwright.Run) bool {
	return run.Declined != nil && run.Declined.Reason == sparkwright.DeclineAmbiguous && len(run.Declined.Choices) > 0
}

// choose takes the number of a choice for the choice, when the request answers
// a run that asked back.
func (s *Service) choose(ctx context.Context, req *sparkwright.Request) error {
	number, err := strconv.Atoi(strings.TrimRight(req.Question, "."))
	if err != nil || req.Parent == "" || req.Code != "" {
		return nil //nolint:nilerr // a question like any other
	}
	parent, err := s.cfg.Store.Run(ctx, req.Parent)
	if sparkwright.ErrorCode(err) == sparkwright.CodeNotFound {
		return nil // generate says so
	}
	if err != nil {
		return err
	}
	if parent.User != req.User || !askedBack(parent) {
		return nil
	}
	if number < 1 || number > len(parent.Declined.Choices) {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "there is no choice " + strconv.Itoa(number),
			Remedy: "answer with a number from 1 to " + strconv.Itoa(len(parent.Declined.Choices)) + ", or in words",
		}
	}
	req.Question = parent.Declined.Choices[number-1]
	return nil
}

// notAgain is a decline that asks nothing back: one clarifying question is
// enough.
func notAgain(d *sparkwright.Declined) *sparkwright.Declined {
	if d.Reason != sparkwright.DeclineAmbiguous {
		return d
	}
	out := *d
	out.Reason, out.Choices, out.Could = sparkwright.DeclineNotUnderstood, nil, slices.Concat(d.Choices, d.Could)
	return &out
}
