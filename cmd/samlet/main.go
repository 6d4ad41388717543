// Command samlet is a SAML 2.0 identity provider and federation broker.
//
// This package joins the rooms of the house: it reads config.yaml, builds the
// identity provider, the login and the broker from it (wire.go is the only file
// that knows everything), serves them, and offers the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
)

// The exit codes of every command.
const (
	exitGood        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitWarnings    = 3
	exitUnreachable = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// warnings says that a command did its work but has something to say.
type warnings struct{ msg string }

func (w warnings) Error() string { return w.msg }

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "samlet: "+message(err))
	}
	return exitCode(err)
}

// message is what the operator reads: the error with the sentence of a typed
// error in the place of its log line.
func message(err error) string {
	var cfg *configError
	if errors.As(err, &cfg) {
		return fmt.Sprintf("the configuration has %s\n%s", count(len(cfg.Faults), "fault", "faults"), cfg)
	}
	var e *identity.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	s := e.Msg
	if e.Seen != "" {
		s += fmt.Sprintf(" (seen: %s)", e.Seen)
	}
	if e.Expected != "" {
		s += fmt.Sprintf(" (expected: %s)", e.Expected)
	}
	return strings.Replace(err.Error(), e.Error(), s, 1)
}

// reason is message with the innermost cause, which the operator may know what
// to do about.
func reason(err error) string {
	s := message(err)
	if inner := cause(err).Error(); inner != err.Error() && !strings.Contains(s, inner) {
		s += ": " + inner
	}
	return s
}

func exitCode(err error) int {
	var (
		usage usageError
		warn  warnings
	)
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &warn):
		return exitWarnings
	case errors.Is(err, &identity.Error{Kind: identity.KindUnavailable}):
		return exitUnreachable
	}
	return exitFailed
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "samlet",
		Short:         "A SAML 2.0 identity provider and federation broker",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().String("config", "config.yaml", "the configuration `file`")
	root.PersistentFlags().Bool("json", false, "print JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(explainCommand(), initCommand(), serveCommand(), demoCommand(), versionCommand(), configCommand(),
		userCommand(), sessionCommand(), spCommand(), connectionCommand(), organizationCommand(), keysCommand(), samlCommand(), testCommand())
	requireArguments(root)
	return root
}

// requireArguments makes a wrong number of arguments and an unknown subcommand
// a usage error on every command below c.
func requireArguments(c *cobra.Command) {
	for _, sub := range c.Commands() {
		requireArguments(sub)
	}
	if c.HasSubCommands() {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usageError{fmt.Errorf("unknown command %q for %q; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())}
		}
		c.Args = cobra.ArbitraryArgs
		return
	}
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
}

// configPath returns the --config of this command line.
func configPath(cmd *cobra.Command) string { return cmd.Flag("config").Value.String() }

// wantsJSON reports whether --json was given.
func wantsJSON(cmd *cobra.Command) bool { return cmd.Flag("json").Value.String() == "true" }
