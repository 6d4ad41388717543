package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The configuration"}
	cmd.AddCommand(configValidateCommand())
	return cmd
}

func configValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, its keys and its metadata, and report every fault at once",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := configPath(cmd)
			snap, err := loadSnapshot(path)
			var faulty *configError
			if errors.As(err, &faulty) && wantsJSON(cmd) {
				return errors.Join(printJSON(cmd.OutOrStdout(), faulty.Faults), err)
			}
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				if err := printJSON(cmd.OutOrStdout(), []fault{}); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s, %s, %s\n", path,
					count(len(snap.Keys.All()), "key", "keys"),
					count(len(snap.Config.ServiceProviders), "service provider", "service providers"),
					count(len(snap.Config.Connections), "connection", "connections"))
			}
			if len(snap.Warnings) > 0 {
				return warnings{joinLines(snap.Warnings)}
			}
			return nil
		},
	}
}
