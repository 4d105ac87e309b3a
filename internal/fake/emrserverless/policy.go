package emrserverless

import (
	"encoding/json"
	"regexp"
	"strings"
)

// policy is an IAM policy document.
type policy struct {
	Statement list[statement] `json:"Statement"`
}

type statement struct {
	Effect      string                             `json:"Effect"`
	Action      list[string]                       `json:"Action"`
	NotAction   list[string]                       `json:"NotAction"`
	Resource    list[string]                       `json:"Resource"`
	NotResource list[string]                       `json:"NotResource"`
	Condition   map[string]map[string]list[string] `json:"Condition"`
	Principal   json.RawMessage                    `json:"Principal"`
}

// list is a JSON array, or one value that stands for an array of one.
type list[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	var many []T
	if err := json.Unmarshal(text, &many); err == nil {
		*l = many
		return nil
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// verdict is what policies say of a call.
type verdict int

const (
	silent verdict = iota // implicitly denied
	allowed
	denied
)

// judge evaluates identity policies for one action on one resource. A
// statement with a condition counts when it denies and never when it allows:
// the emulator knows too little to be generous.
func judge(policies []policy, action, resource string) verdict {
	out := silent
	for _, p := range policies {
		for _, st := range p.Statement {
			if !st.covers(action, resource) {
				continue
			}
			if st.Effect == "Deny" {
				return denied
			}
			if st.Effect == "Allow" && len(st.Condition) == 0 {
				out = allowed
			}
		}
	}
	return out
}

func (st statement) covers(action, resource string) bool {
	acts := matches(st.Action, strings.ToLower(action), true)
	if len(st.NotAction) > 0 {
		acts = !matches(st.NotAction, strings.ToLower(action), true)
	}
	on := matches(st.Resource, resource, false)
	if len(st.NotResource) > 0 {
		on = !matches(st.NotResource, resource, false)
	}
	return acts && on
}

// matches reports whether one of the patterns with * and ? fits.
func matches(patterns []string, value string, fold bool) bool {
	for _, p := range patterns {
		if fold {
			p = strings.ToLower(p)
		}
		p = regexp.QuoteMeta(p)
		p = strings.ReplaceAll(strings.ReplaceAll(p, `\*`, `.*`), `\?`, `.`)
		if ok, err := regexp.MatchString(`^(?s:`+p+`)$`, value); err == nil && ok {
			return true
		}
	}
	return false
}

// trusts reports whether a trust policy lets the service assume the role.
func trusts(p policy, service string) bool {
	for _, st := range p.Statement {
		var who struct {
			Service list[string] `json:"Service"`
		}
		if st.Effect != "Allow" || json.Unmarshal(st.Principal, &who) != nil {
			continue
		}
		for _, s := range who.Service {
			if s == service && matches(st.Action, "sts:assumerole", true) {
				return true
			}
		}
	}
	return false
}
