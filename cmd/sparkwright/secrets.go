package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright/internal/secret"
)

func newSecretsCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "secrets", Short: "Seal the kept secrets, and keep their key",
		Long: "Passwords that are given to Sparkwright are kept in sealed files of the data directory.\nThe key is in secrets.key beside them, in the file that SPARKWRIGHT_SECRETS_KEY_FILE\nnames, or in the keyring of the operating system.",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "seal", Short: "Seal the files that were written before there was a key", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				if _, err := app.loadSettings(); err != nil {
					return err
				}
				n, err := secret.SealAll(app.home)
				if err == nil {
					app.say("secrets", fmt.Sprintf("%d sealed", n))
				}
				return err
			},
		},
		&cobra.Command{
			Use: "keyring", Short: "Move the key into the keyring of the operating system", Args: cobra.NoArgs,
			Long: "Move the key into the keyring of the operating system. From then on the secrets can be\nread only where the keyring is open: not from cron or as a service without a session.",
			RunE: func(*cobra.Command, []string) error {
				if _, err := app.loadSettings(); err != nil {
					return err
				}
				return secret.ToKeyring(app.home)
			},
		},
	)
	return cmd
}
