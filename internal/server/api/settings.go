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
