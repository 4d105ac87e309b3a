package settings

import (
	"strconv"

	"github.com/sparkwright/sparkwright"
)

// applyEnv puts the environment over the file. A key in the environment does
// not replace the key that the file names for its own server: it would be sent
// to a server that it does not belong to.
func (s *Settings) applyEnv(getenv func(string) string) error {
	keys := map[string]struct {
		env string // of the key itself
		own bool   // the file names server and key
	}{
		keyAPIKey:       {envAPIKey, s.Model.BaseURL != "" && s.Model.APIKey != "" && getenv("OPENAI_BASE_URL") == ""},
		keyAnthropicKey: {envAnthropicKey, s.Anthropic.BaseURL != "" && s.Anthropic.APIKey != "" && getenv("ANTHROPIC_BASE_URL") == ""},
	}
	for _, f := range fields(s) {
		text := getenv(f.variable())
		key, isKey := keys[f.key]
		if text == "" || key.own {
			continue
		}
		var value any = text
		var err error
		switch f.ptr.(type) {
		case *int:
			value, err = strconv.Atoi(text)
		case *bool:
			value, err = strconv.ParseBool(text)
		}
		if isKey {
			value = "env:" + key.env
		}
		must := "must be " + f.kind()
		if err == nil {
			must = ""
			if f.check != nil {
				must = f.check(value)
			}
		}
		if must != "" {
			return badVariable(f.variable(), f.key, must)
		}
		f.set(value)
	}
	return nil
}

func badVariable(name, key, must string) error {
	return &sparkwright.Error{
		Code:    sparkwright.CodeInvalid,
		Message: "the environment variable " + name + " (" + key + ") " + must,
		Remedy:  "correct or unset " + name,
	}
}
