package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright/internal/localruntime"
)

func newRuntimeCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "runtime", Short: "Install, inspect or remove the local Spark runtime",
		Long: "The local runtime is a private Python environment with pyspark and the PostgreSQL\nJDBC driver, in the data directory. The first local run installs it.",
	}
	cmd.AddCommand(&cobra.Command{
		Use: "install", Short: "Install the runtime, or finish an install that was interrupted", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rt, err := app.installRuntime(cmd.Context())
			if err == nil {
				app.say("runtime", "complete in "+rt.Dir)
			}
			return err
		},
	}, &cobra.Command{
		Use: "status", Short: "Show what is installed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := app.runtimeOptions()
			if err != nil {
				return err
			}
			st, err := localruntime.Inspect(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(app.stdout).Encode(st)
			}
			for _, s := range st.Steps {
				mark := "✗"
				if s.Done {
					mark = "✓"
				}
				app.printf("  %s %-14s %s\n", mark, s.Name, s.Note)
			}
			app.printf("  %s, %s\n", st.Dir, size(st.Bytes))
			if !st.Complete {
				app.say("do", "sparkwright runtime install")
			}
			return nil
		},
	}, &cobra.Command{
		Use: "remove", Short: "Remove every installed runtime", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := app.runtimeOptions()
			if err != nil {
				return err
			}
			return localruntime.Remove(cmd.Context(), opt)
		},
	})
	return cmd
}
