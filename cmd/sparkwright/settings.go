package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func newSettingsCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "settings", Short: "Show and change settings.json; docs/settings.md tells of every key",
		Example: "  sparkwright settings set postgres.jdbc_driver_path s3://bucket/jars/postgresql-42.7.8.jar",
	}
	cmd.AddCommand(newSettingsListCommand(app), newSettingsGetCommand(app), newSettingsSetCommand(app), newSettingsUnsetCommand(app))
	return cmd
}

func newSettingsListCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List every key with its value", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			values, err := app.settingValues()
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(app.stdout).Encode(values)
			}
			var cells [][]string
			for _, key := range slices.Sorted(maps.Keys(values)) {
				cells = append(cells, []string{key, fmt.Sprint(values[key])})
			}
			app.list([]string{"key", "value"}, cells)
			return nil
		},
	}
}

func newSettingsGetCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "get KEY", Short: "Print the value of a key", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			values, err := app.settingValues()
			if err != nil {
				return err
			}
			value, is := values[args[0]]
			switch {
			case !is:
				return unknownKey(args[0])
			case app.json:
				return json.NewEncoder(app.stdout).Encode(value)
			}
			app.printf("%v\n", value)
			return nil
		},
	}
}

func newSettingsSetCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "set KEY VALUE", Short: "Set a key; a running server takes it up by itself", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return app.changeSetting(args[0], &args[1]) },
	}
}

func newSettingsUnsetCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "unset KEY", Short: "Set a key back to its default", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return app.changeSetting(args[0], nil) },
	}
}

// settingValues are the values in force. Of a secret it is only told whether
// it is set.
func (a *app) settingValues() (map[string]any, error) {
	s, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	values := s.Values()
	for key, set := range s.Secrets() {
		values[key] = map[bool]string{true: "(set)", false: ""}[set]
	}
	return values, nil
}

// changeSetting writes a key to the file; nil sets it back to its default.
func (a *app) changeSetting(name string, text *string) error {
	i := slices.IndexFunc(settings.Keys(), func(k settings.Key) bool { return k.Name == name })
	if i < 0 {
		return unknownKey(name)
	}
	key := settings.Keys()[i]
	var value any
	if text != nil {
		var err error
		if value, err = parseSetting(key, *text); err != nil {
			return err
		}
	}
	home, err := settings.Home()
	if err != nil {
		return err
	}
	err = settings.Update(home, func(s *settings.Settings) error {
		if reference, is := value.(string); is && key.Secret {
			return s.SetSecret(name, reference)
		}
		return s.SetValue(name, value)
	})
	if err != nil {
		return err
	}
	if text == nil {
		a.say("settings", name+" is back at its default")
	} else {
		a.say("settings", name+" is set")
	}
	s, err := settings.Load(home)
	if err != nil {
		return err
	}
	if stored, is := s.Values()[name]; is && text != nil && fmt.Sprint(stored) != fmt.Sprint(value) {
		a.say("warning", "the environment variable "+key.Variable+" comes before it")
	}
	return nil
}

func parseSetting(key settings.Key, text string) (any, error) {
	var value any
	var err error
	switch key.Kind {
	case "number":
		value, err = strconv.Atoi(text)
	case "boolean":
		value, err = strconv.ParseBool(text)
	default:
		return text, nil
	}
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: key.Name + " must be a " + key.Kind, Because: fmt.Sprintf("%q is none", text),
			Remedy: "see docs/settings.md", Err: err,
		}
	}
	return value, nil
}

func unknownKey(name string) error {
	var names []string
	for _, k := range settings.Keys() {
		names = append(names, k.Name)
	}
	e := &sparkwright.Error{
		Code: sparkwright.CodeNotFound, Message: fmt.Sprintf("there is no setting %q", name), Remedy: "sparkwright settings list",
	}
	if near := postgres.Nearest(name, names, 3); len(near) > 0 {
		e.Because = "near it: " + strings.Join(near, ", ")
	}
	return e
}
