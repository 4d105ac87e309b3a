package doctor

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// policy is an IAM policy document, as far as the checks read it.
type policy struct {
	Version    string      `json:"Version"`
	Statements []statement `json:"Statement"`
}

type statement struct {
	Sid       string          `json:"Sid,omitempty"`
	Effect    string          `json:"Effect"`
	Principal json.RawMessage `json:"Principal,omitempty"`
	Actions   textList        `json:"Action,omitempty"`
	NotAction textList        `json:"NotAction,omitempty"`
	Resources textList        `json:"Resource,omitempty"`
	Condition json.RawMessage `json:"Condition,omitempty"`
}

// textList is one text or a list of texts.
type textList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *textList) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = textList{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return err
	}
	*l = many
	return nil
}

func parsePolicy(text string) (policy, error) {
	var p policy
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		return p, nil
	}
	// A document may hold one statement without a list.
	var single struct {
		Version   string
		Statement statement
	}
	if json.Unmarshal([]byte(text), &single) == nil {
		return policy{single.Version, []statement{single.Statement}}, nil
	}
	return p, fmt.Errorf("the policy document cannot be read: %w", err)
}

// covers reports whether one of the patterns covers the value. Case matters in
// resources, not in actions.
func covers(patterns []string, value string, fold bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if fold {
			p, value = strings.ToLower(p), strings.ToLower(value)
		}
		// path.Match stops at slashes, which IAM does not.
		hit, err := path.Match(strings.ReplaceAll(p, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
		return err == nil && hit
	})
}

// allows evaluates the documents for one action on one resource. Conditions of
// an Allow are taken as met, those of a Deny as not met: what they depend on is
// known to AWS only. So it may say yes too often, never no.
func allows(documents map[string]policy, action, resource string) bool {
	allowed := false
	for _, p := range documents {
		for _, s := range p.Statements {
			acts := covers(s.Actions, action, true) || len(s.NotAction) > 0 && !covers(s.NotAction, action, true)
			if !acts || !covers(s.Resources, resource, false) {
				continue
			}
			switch {
			case s.Effect == "Deny" && s.Condition == nil:
				return false
			case s.Effect == "Allow":
				allowed = true
			}
		}
	}
	return allowed
}

// document writes a policy with one statement.
func document(actions, resources []string) string {
	text, err := json.MarshalIndent(policy{Version: "2012-10-17", Statements: []statement{{Effect: "Allow", Actions: actions, Resources: resources}}}, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
