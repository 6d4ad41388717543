package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func testCommand() *cobra.Command {
	var sp, user string
	cmd := &cobra.Command{
		Use:   "test [FILE|FOLDER]...",
		Short: "Hold the configuration against contracts: what leaves, about whom, to which application",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if sp == "" && user == "" {
				return runContracts(cmd, args)
			}
			if sp == "" || user == "" || len(args) > 0 {
				return usageError{errors.New("--init wants the id of a service provider, and --user the person to take as its example; it prints a contract")}
			}
			return printContract(cmd, sp, user)
		},
	}
	cmd.Flags().StringVar(&sp, "init", "", "print a contract about what the application `ID` gets now")
	cmd.Flags().StringVar(&user, "user", "", "with --init: the `person` to take as an example")
	return cmd
}

func runContracts(cmd *cobra.Command, args []string) (err error) {
	path := configPath(cmd)
	files, err := contractFiles(path, args)
	if err != nil {
		return err
	}
	snap, err := buildSnapshot(path, standIns, func(*sources) {})
	if err != nil {
		return err
	}
	contracts, err := readContracts(files, snap)
	if err != nil {
		return err
	}
	if len(contracts) == 0 {
		return &identity.Error{Kind: identity.KindNotFound, Code: "cfg.missing", Who: identity.WhoOperator,
			Msg: "there is no contract in what was given, so that nothing was held; `samlet test --init SP --user LOGIN` writes a first one"}
	}
	var db store.Store
	people := func() (store.Store, error) {
		if db != nil {
			return db, nil
		}
		opened, err := openStore(cmd.Context(), snap.Config, path)
		if err == nil {
			db = opened
		}
		return opened, err
	}
	verdicts, err := judge(cmd.Context(), snap, contracts, people)
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return err
	}
	return printVerdicts(cmd, verdicts)
}

func printVerdicts(cmd *cobra.Command, verdicts []verdict) error {
	out, broken := cmd.OutOrStdout(), 0
	for _, v := range verdicts {
		if !v.Kept {
			broken++
		}
	}
	if wantsJSON(cmd) {
		if verdicts == nil {
			verdicts = []verdict{}
		}
		if err := printJSON(out, verdicts); err != nil {
			return err
		}
	} else {
		for _, v := range verdicts {
			v.print(cmd)
		}
		fmt.Fprintf(out, "%s, %d broken\n", count(len(verdicts), "contract", "contracts"), broken)
	}
	if broken > 0 {
		return errBroken
	}
	return nil
}

func (v verdict) print(cmd *cobra.Command) {
	out := cmd.OutOrStdout()
	if v.Kept {
		fmt.Fprintf(out, "ok    %s\n", v.Name)
		return
	}
	fmt.Fprintf(out, "FAIL  %s (%s:%d)\n", v.Name, v.File, v.Line)
	for _, l := range v.Breaches {
		fmt.Fprintf(out, "      %s\n", l)
	}
}

// printContract prints what an application gets of a person now, as a contract
// about a made-up one.
func printContract(cmd *cobra.Command, sp, user string) error {
	r, who, err := rehearseUser(cmd, sp, user, "")
	if err != nil {
		return err
	}
	c := writtenContract{Name: "somebody like " + r.Person + " at " + sp, SP: sp, Attributes: []writtenValue{}}
	for _, v := range who.Values {
		c.Attributes = append(c.Attributes, writtenValue{Name: string(v.Name), Value: v.Value, Source: sourceName(v.Source)})
	}
	if r.Refused != nil {
		c.Expect.Denied = r.Refused.Code
	} else {
		c.expect(r)
	}
	text, err := yamlText([]writtenContract{c})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

// writtenContract is a contract as --init prints it.
type writtenContract struct {
	Name       string          `yaml:"name"`
	Attributes []writtenValue  `yaml:"attributes"`
	SP         string          `yaml:"sp"`
	Expect     writtenExpected `yaml:"expect"`
}

type writtenValue struct {
	Name   string `yaml:"name"`
	Value  string `yaml:"value"`
	Source string `yaml:"source"`
}

type writtenExpected struct {
	Denied     string              `yaml:"denied,omitempty"`
	NameID     map[string]string   `yaml:"name_id,flow,omitempty"`
	Attributes *[]writtenAttribute `yaml:"attributes,omitempty"`
	Consent    *bool               `yaml:"consent,omitempty"`
}

type writtenAttribute struct {
	Name       string   `yaml:"name"`
	NameFormat string   `yaml:"name_format,omitempty"`
	Values     []string `yaml:"values,flow"`
}

func (c *writtenContract) expect(r rehearsal) {
	if r.NameID != nil {
		c.Expect.NameID = map[string]string{"format": formatWord(r.NameID.Format)}
		if !r.NameID.New && r.NameID.Format != string(identity.FormatPersistent) {
			c.Expect.NameID["value"] = r.NameID.Value
		}
	} else {
		c.Expect.NameID = map[string]string{"format": "none"}
	}
	list := []writtenAttribute{}
	for _, a := range r.Attributes {
		format := short(a.NameFormat)
		list = append(list, writtenAttribute{Name: a.Name, NameFormat: format, Values: a.values()})
	}
	c.Expect.Attributes = &list
	// What the person of the example has agreed to, the made-up one is yet to be asked.
	asked := r.Consent != identity.ConsentNever.String()
	c.Expect.Consent = &asked
}
