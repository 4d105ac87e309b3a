package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/backup"
	"github.com/sparkwright/sparkwright/internal/store"
)

// backedUp are the directories that belong to the database.
func (a *app) backedUp() backup.Dirs {
	return backup.Dirs{"results": a.settings.ResultsDir(), "uploads": filepath.Join(a.home, "uploads")}
}

func newBackupCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Write runs, results and uploads to a file, also while a server runs", Args: cobra.ExactArgs(1),
		Long: "Write the run database, results and uploads to FILE (.tar.gz), also while a server\nruns. Settings and secrets are not in it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return err
			}
			f, err := os.OpenFile(filepath.Clean(args[0]), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
			if err != nil {
				return sparkwright.Errorf(sparkwright.CodeInvalid, "the backup cannot be written: %w", err)
			}
			err = backup.Write(cmd.Context(), st, app.backedUp(), f)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				_ = os.Remove(args[0]) // half a backup is none
				return err
			}
			app.say("backup", args[0])
			return nil
		},
	}
}

func newRestoreCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Lay a backup out in a data directory without runs", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := app.loadSettings(); err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return sparkwright.Errorf(sparkwright.CodeInvalid, "the backup cannot be read: %w", err)
			}
			defer f.Close() //nolint:errcheck // read only
			path := filepath.Join(app.home, "sparkwright.db")
			if err = backup.Restore(cmd.Context(), f, path, app.backedUp()); err != nil {
				return err
			}
			app.say("restored", path)
			return nil
		},
	}
}

func newUpgradeCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "upgrade", Short: "Bring the run database of an older version up to date", Args: cobra.NoArgs,
		Long: "Bring the run database of an older version up to date. Stop the servers that use\nit, and make a backup, before. It is safe to repeat.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := app.loadSettings(); err != nil {
				return err
			}
			where, err := app.database(cmd.Context())
			if err != nil {
				return err
			}
			if err = store.Upgrade(cmd.Context(), where); err != nil {
				return err
			}
			app.say("upgrade", "the run database is up to date")
			return nil
		},
	}
}
