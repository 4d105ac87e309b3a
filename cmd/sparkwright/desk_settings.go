package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Settings implements api.Settings.
func (d *desk) Settings(context.Context) (*api.SettingsBody, error) {
	s, err := d.app.databases.configuration.Load() //nolint:contextcheck // it has a time limit of its own
	if err != nil {
		return nil, err
	}
	return &api.SettingsBody{Values: s.Values(), Secrets: s.Secrets(), Warnings: s.Warnings}, nil
}

// ChangeSettings implements api.Settings. A key of a model's server is
// forgotten when the server changes: it must not be sent to another one.
func (d *desk) ChangeSettings(ctx context.Context, change api.SettingsChange) (*api.SettingsBody, error) {
	for _, key := range slices.Sorted(maps.Keys(change.Values)) {
		access.Add(ctx, "setting "+key)
	}
	for _, key := range slices.Sorted(maps.Keys(change.Secrets)) {
		access.Add(ctx, "secret of "+key)
	}
	err := d.app.databases.configuration.Update(func(s *settings.Settings) error { //nolint:contextcheck // it has a time limit of its own
		server, messages, issuer := s.Model.BaseURL, s.Anthropic.BaseURL, s.Auth.OIDCIssuer
		for key, value := range change.Values {
			if err := s.SetValue(key, value); err != nil {
				return err
			}
		}
		if s.Model.BaseURL != server && s.Model.APIKey != "" {
			if err := s.SetSecret("model.api_key", ""); err != nil {
				return err
			}
		}
		if s.Anthropic.BaseURL != messages && s.Anthropic.APIKey != "" {
			if err := s.SetSecret("anthropic.api_key", ""); err != nil {
				return err
			}
		}
		if s.Auth.OIDCIssuer != issuer && s.Auth.OIDCClientSecret != "" {
			if err := s.SetSecret("auth.oidc_client_secret", ""); err != nil {
				return err
			}
		}
		for key, value := range change.Secrets {
			if err := s.SetSecret(key, ""); err != nil {
				return err
			}
			if value == "" {
				continue
			}
			reference := value
			if !strings.HasPrefix(value, "aws-sm:") {
				var err error
				if reference, err = d.app.writeSecret("setting-"+key, value); err != nil {
					return err
				}
			}
			if err := s.SetSecret(key, reference); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.Settings(ctx)
}

// SettingKeys implements api.Settings.
func (d *desk) SettingKeys(context.Context) ([]api.SettingKey, error) {
	keys := settings.Keys()
	out := make([]api.SettingKey, 0, len(keys))
	for _, k := range keys {
		out = append(out, api.SettingKey{
			Key: k.Name, Kind: k.Kind, Default: k.Default, About: k.About, Variable: k.Variable, Environment: os.Getenv(k.Variable) != "", Secret: k.Secret,
		})
	}
	return out, nil
}

// showValues reports whether values of statistics may be shown. Settings that
// cannot be read show none.
func (d *desk) showValues(context.Context) bool {
	s, err := d.app.databases.configuration.Load() //nolint:contextcheck // it has a time limit of its own
	return err == nil && s.Postgres.ShowValues
}
