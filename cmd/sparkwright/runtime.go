package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

func newRuntimeCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "runtime", Short: "Install, inspect or remove the local Spark runtime",
		Long: "The local runtime is a private Python environment with pyspark and the PostgreSQL\nJDBC driver, in the data directory. The first local run installs it.",
	}
	cmd.AddCommand(newRuntimeInstallCommand(app), &cobra.Command{
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
				return json.NewEncoder(plainJSON{app.stdout}).Encode(st)
			}
			for _, s := range st.Steps {
				mark := "✗"
				if s.Done {
					mark = "✓"
				}
				app.printf("  %s %-14s %s\n", mark, s.Name, s.Note)
			}
			app.printf("  %s, %s\n", st.Dir, size(st.Bytes))
			if kept := connect.Kept(cmd.Context(), sparkDir(app.home)); kept != "" {
				app.printf("  warm Spark server: %s; sparkwright runtime stop ends it\n", kept)
			}
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
			connect.StopKept(cmd.Context(), sparkDir(app.home)) // it runs from what is removed
			return localruntime.Remove(cmd.Context(), opt)
		},
	}, &cobra.Command{
		Use: "stop", Short: "Stop the Spark server that is kept warm between commands", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := app.loadSettings(); err != nil {
				return err
			}
			if connect.StopKept(cmd.Context(), sparkDir(app.home)) {
				app.say("spark", "the warm server is stopped")
			} else {
				app.say("spark", "no server was kept warm")
			}
			return nil
		},
	})
	return cmd
}

func newRuntimeInstallCommand(app *app) *cobra.Command {
	var spark string
	cmd := &cobra.Command{
		Use: "install", Short: "Install the runtime, or finish an install that was interrupted", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := app.runtimeOptions()
			if err != nil {
				return err
			}
			install := localruntime.Install
			switch spark {
			case "":
			case "3.5":
				install = localruntime.InstallEMR
			default:
				return &sparkwright.Error{
					Code: sparkwright.CodeInvalid, Message: "there is no runtime for Spark " + spark,
					Remedy: "leave --spark out, or say --spark 3.5 for the one of the EMR Serverless emulator",
				}
			}
			rt, err := install(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if err = rt.Archive(cmd.Context(), opt); err != nil {
				if cmd.Context().Err() != nil {
					return err
				}
				app.say("note", err.Error())
			}
			app.say("runtime", "complete in "+rt.Dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&spark, "spark", "", "3.5: install the Spark of the EMR Serverless emulator instead")
	return cmd
}
