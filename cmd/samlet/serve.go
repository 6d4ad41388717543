package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run samlet until it is told to stop; SIGHUP reads the configuration again",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd)
		},
	}
}

func serve(cmd *cobra.Command) (err error) {
	s, err := openServer(cmd.Context(), serverConfig{Path: configPath(cmd), Log: cmd.ErrOrStderr()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(cmd.Context()))) }()
	out, base := cmd.OutOrStdout(), s.started.Server.BaseURL
	fmt.Fprintf(out, "  IdP metadata                    %s/saml/metadata\n", base)
	if *s.started.Server.TestPage {
		fmt.Fprintf(out, "  Try a sign-in end to end        %s/test\n", base)
	}

	ctx, cancel := context.WithCancel(cmd.Context())
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, hup) }()
	err = s.Run(ctx)
	cancel()
	return errors.Join(err, <-watched)
}
