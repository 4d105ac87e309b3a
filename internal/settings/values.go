package settings

import (
	"strings"

	"github.com/sparkwright/sparkwright"
)

// secretKeys are the keys whose value refers to a secret.
func secretKeys() []string { return []string{keyAPIKey, keyAnthropicKey, keyOIDCSecret} }

// Values returns every key with a single value, but for references to secrets
// and tokens in addresses.
func (s *Settings) Values() map[string]any {
	out := map[string]any{}
	for _, f := range fields(s) {
		value := f.get()
		if text, ok := value.(string); ok {
			if address, _, hasToken := strings.Cut(text, "token="); hasToken {
				value = address + "token=…"
			}
		}
		out[f.key] = value
	}
	for _, key := range secretKeys() {
		delete(out, key)
	}
	return out
}

// Secrets tells for every key that refers to a secret whether it is set.
func (s *Settings) Secrets() map[string]bool {
	out := map[string]bool{}
	for _, f := range fields(s) {
		for _, key := range secretKeys() {
			if f.key == key {
				out[key] = f.get() != ""
			}
		}
	}
	return out
}

// SetValue sets one key, or sets it back to its default when value is nil.
// Numbers may be float64, as JSON gives them. CodeInvalid names the key.
func (s *Settings) SetValue(key string, value any) error {
	defaults := fields(Default())
	for i, f := range fields(s) {
		if f.key != key {
			continue
		}
		if value == nil {
			f.set(defaults[i].get())
			return nil
		}
		if n, ok := value.(float64); ok && n == float64(int(n)) {
			value = int(n)
		}
		switch f.get().(type) {
		case string:
			if _, ok := value.(string); !ok {
				return invalid(key, "must be "+f.kind())
			}
		case int:
			if _, ok := value.(int); !ok {
				return invalid(key, "must be "+f.kind())
			}
		case bool:
			if _, ok := value.(bool); !ok {
				return invalid(key, "must be "+f.kind())
			}
		}
		if f.check != nil {
			if must := f.check(value); must != "" {
				return invalid(key, must)
			}
		}
		f.set(value)
		return nil
	}
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "there is no setting of one of the keys that were given", Remedy: "GET the settings to see all keys"}
}

// SetSecret sets the reference of a key of Secrets; "" forgets it. CodeInvalid
// for any other key and for what is no reference.
func (s *Settings) SetSecret(key, reference string) error {
	if _, ok := s.Secrets()[key]; !ok {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "there is no secret of one of the keys that were given", Remedy: "GET the settings to see all keys"}
	}
	return s.SetValue(key, reference)
}

// IsReference reports whether text refers to a secret instead of being one.
func IsReference(text string) bool { return isReference(text) }
