package api

import (
	"context"
	"net/http"
)

// Settings reads and writes the settings.
type Settings interface {
	Settings(ctx context.Context) (*SettingsBody, error)
	// ChangeSettings sets what is given and leaves the rest; a null value sets a
	// key back to its default. CodeInvalid names the key.
	ChangeSettings(ctx context.Context, change SettingsChange) (*SettingsBody, error)
	// SettingKeys describes every key, in the order of the file.
	SettingKeys(ctx context.Context) ([]SettingKey, error)
}

// SettingKey describes one setting.
type SettingKey struct {
	Key         string `json:"key" example:"spark.master"`
	Kind        string `json:"kind" enum:"text,number,boolean"`
	Default     any    `json:"default"`
	About       string `json:"about" doc:"What it is, with its unit; words of code in backquotes"`
	Variable    string `json:"variable" doc:"The environment variable that comes before the file"`
	Environment bool   `json:"environment" doc:"The variable is set: what is changed here does not count"`
	Secret      bool   `json:"secret" doc:"It is never given back"`
}

// SettingKeys are all settings.
type SettingKeys struct {
	Keys []SettingKey `json:"keys"`
}

// SettingsBody are all settings. Secrets are never among them.
type SettingsBody struct {
	Values   map[string]any  `json:"values" doc:"By key: spark.master, limits.question_chars …"`
	Secrets  map[string]bool `json:"secrets" doc:"By key: whether a secret is known"`
	Warnings []string        `json:"warnings,omitempty"`
}

// SettingsChange is what a client changes.
type SettingsChange struct {
	Values  map[string]any    `json:"values,omitempty" doc:"By key; null sets it back to its default"`
	Secrets map[string]string `json:"secrets,omitempty" writeOnly:"true" doc:"By key: the secret itself, or a reference to it (env:NAME, file:PATH, aws-sm:ARN); empty forgets it"`
}

func (a *API) registerSettings() {
	register(a, operation("get-settings", http.MethodGet, "/settings", "Read the settings, without secrets", "settings"),
		func(ctx context.Context, _ *struct{}) (*body[SettingsBody], error) {
			if a.cfg.Settings == nil {
				return nil, absent("settings")
			}
			return settingsReply(a.cfg.Settings.Settings(ctx))
		})
	register(a, operation("describe-settings", http.MethodGet, "/settings/reference", "What every setting means", "settings"),
		func(ctx context.Context, _ *struct{}) (*body[SettingKeys], error) {
			if a.cfg.Settings == nil {
				return nil, absent("settings")
			}
			keys, err := a.cfg.Settings.SettingKeys(ctx)
			return reply(SettingKeys{Keys: keys}, err)
		})
	put := operation("put-settings", http.MethodPut, "/settings", "Change settings", "settings")
	put.Description = "Keys that are not named stay as they are. Most settings hold from the next start of the server on."
	register(a, put, func(ctx context.Context, in *struct{ Body SettingsChange }) (*body[SettingsBody], error) {
		if a.cfg.Settings == nil {
			return nil, absent("settings")
		}
		return settingsReply(a.cfg.Settings.ChangeSettings(ctx, in.Body))
	})
}

func settingsReply(s *SettingsBody, err error) (*body[SettingsBody], error) {
	if err != nil {
		return nil, err
	}
	return reply(*s, nil)
}
