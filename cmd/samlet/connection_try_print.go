package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes what a person reads of a trial.
func (t trial) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "If %s said this of %s:\n\nRECEIVED\tVALUES\t\n", cmp.Or(t.Issuer, t.Connection), cmp.Or(t.Subject, "nobody in particular"))
	for _, c := range t.Received {
		note := ""
		if !c.Used {
			note = "no rule takes it"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, strings.Join(c.Values, ", "), note)
	}
	fmt.Fprint(w, "\nATTRIBUTE\tVALUES\tBY\n")
	for _, r := range t.Rules {
		r.print(w)
	}
	fmt.Fprintf(w, "\n%s\n", t.sentence())
	if len(t.Values) > 0 {
		fmt.Fprint(w, "\nRECORD\tVALUE\tSOURCE\tCHANGE\n")
		for _, v := range t.Values {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, v.Value, v.Source, v.Change)
		}
	}
	fmt.Fprint(w, "\nNothing was kept.\n")
	return w.Flush()
}

// print writes one rule, if there is anything to be said of it.
func (r trialRule) print(w io.Writer) {
	if len(r.Values) > 0 {
		by := r.Origin
		if r.From != "" {
			by += " " + r.From
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.To, strings.Join(r.Values, ", "), by)
	}
	for _, d := range r.Dropped {
		fmt.Fprintf(w, "%s\t-\t%s of %s: dropped by %s\n", r.To, d.Value, cmp.Or(d.From, "value"), d.By)
	}
	if r.Refused != nil {
		fmt.Fprintf(w, "%s\t-\trefused: %s\n", r.To, r.Refused.Code)
	}
}

func (t trial) sentence() string {
	switch t.Outcome {
	case "new":
		return "They would be new: a record would be made, and linked to them."
	case "known":
		return "They are known: record " + t.Record + "."
	case "asked":
		return "They would be new, and asked first whether they have an account already."
	case "linked":
		return "They would be linked, by the mail address, to the record " + t.Record + "."
	}
	s := "They would be refused: " + t.Refused.Message + " [" + t.Refused.Code + "]"
	if t.Refused.Seen != "" || t.Refused.Expected != "" {
		s += "\n  seen\t" + cmp.Or(t.Refused.Seen, "-") + "\n  expected\t" + cmp.Or(t.Refused.Expected, "-")
	}
	return s
}
