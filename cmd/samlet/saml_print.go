package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/internal/explain"
)

// samlMessage is one message of `saml decode`; its JSON is stable.
type samlMessage struct {
	Kind       string        `json:"kind"`
	Source     string        `json:"source,omitempty"`
	Binding    string        `json:"binding,omitempty"`
	URL        string        `json:"url,omitempty"`
	RelayState string        `json:"relay_state,omitempty"`
	XML        string        `json:"xml,omitempty"` // for display: indented, so that signatures no longer fit
	Problem    string        `json:"problem,omitempty"`
	Decrypted  []samlMessage `json:"decrypted,omitempty"`
}

func samlDecode(cmd *cobra.Command, reports []explain.Report) error {
	var messages []samlMessage
	damaged := false
	for i := range reports {
		m := decoded(&reports[i])
		damaged = damaged || m.Problem != ""
		messages = append(messages, m)
	}
	var err error
	if wantsJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), map[string][]samlMessage{"messages": messages})
	} else {
		var b strings.Builder
		for i, m := range messages {
			if i > 0 {
				b.WriteByte('\n')
			}
			m.print(&b)
		}
		err = printVisible(cmd.OutOrStdout(), b.String())
	}
	if err == nil && damaged {
		return errors.New("not every message could be decoded")
	}
	return err
}

func decoded(r *explain.Report) samlMessage {
	m := samlMessage{Kind: r.Kind, Source: r.Source, Binding: r.Binding, URL: r.URL, RelayState: r.RelayState, XML: string(r.XML())}
	for _, c := range r.Checks {
		bad := c.Result == explain.Fail
		switch c.ID {
		case "encoding", "xml":
			if bad {
				m.Problem = sentence(c)
			}
		case "artifact":
			m.XML += c.Detail + "\n"
		case "decrypt":
			if c.Result != explain.Pass && len(r.Inside) == 0 {
				m.Problem = sentence(c)
			}
		}
	}
	m.Decrypted = opened(r)
	return m
}

// opened returns what r's encrypted parts hold; everything else inside stands in
// the XML of r already.
func opened(r *explain.Report) []samlMessage {
	var all []samlMessage
	for i := range r.Inside {
		in := &r.Inside[i]
		switch {
		case r.Kind == "EncryptedAssertion":
			all = append(all, decoded(in))
		case in.Kind == "EncryptedAssertion" && len(in.Inside) == 0:
			m := decoded(in)
			m.XML = ""
			all = append(all, m)
		default:
			all = append(all, opened(in)...)
		}
	}
	return all
}

func (m samlMessage) print(b *strings.Builder) {
	fmt.Fprintln(b, heading(m.Kind, m.Source, m.RelayState))
	b.WriteString(m.XML)
	if m.Problem != "" {
		fmt.Fprintln(b, m.Problem)
	}
	for _, d := range m.Decrypted {
		fmt.Fprintln(b, "\nDecrypted:")
		d.print(b)
	}
}

// heading names a message. There is no kind where it could not be read.
func heading(kind, source, relayState string) string {
	if kind == "" {
		kind = "A message"
	}
	if source != "" {
		kind += ", " + source
	}
	if relayState != "" {
		kind += fmt.Sprintf(", RelayState %q", relayState)
	}
	return kind
}

func sentence(c explain.Check) string {
	s := c.Detail
	if c.Seen != "" {
		s += " (seen: " + c.Seen + ")"
	}
	if c.Expected != "" {
		s += " (expected: " + c.Expected + ")"
	}
	return s
}

// samlReports is what verify and explain print as JSON; it is stable.
type samlReports struct {
	Verified bool             `json:"verified"` // valid signatures of known keys cover every message
	Failed   bool             `json:"failed"`   // a check failed
	Messages []explain.Report `json:"messages"`
}

func reportsOf(reports []explain.Report) samlReports {
	all := samlReports{Verified: len(reports) > 0, Messages: reports}
	for i := range reports {
		all.Verified = all.Verified && reports[i].Verified()
		all.Failed = all.Failed || reports[i].Failed()
	}
	return all
}

func samlVerify(cmd *cobra.Command, reports []explain.Report) error {
	all := reportsOf(reports)
	var err error
	if wantsJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), all)
	} else {
		var b strings.Builder
		for i := range reports {
			r := &reports[i]
			fmt.Fprintln(&b, heading(r.Kind, r.Source, r.RelayState))
			printSignatures(&b, r)
			if r.Verified() {
				fmt.Fprintln(&b, "  verified")
			} else {
				fmt.Fprintln(&b, "  NOT VERIFIED")
			}
		}
		err = printVisible(cmd.OutOrStdout(), b.String())
	}
	if err == nil && !all.Verified {
		return errors.New("not every message is covered by a valid signature of a known key")
	}
	return err
}

// printSignatures lists the signatures of r and inside, and what keeps a message
// from being verified beside them.
func printSignatures(b *strings.Builder, r *explain.Report) {
	for _, s := range r.Signatures {
		what := s.Covers
		if s.ID != "" {
			what += " " + s.ID
		}
		if s.Valid {
			fmt.Fprintf(b, "  valid    %s\n           by %s\n           %s\n", what, s.By.Entity, s.By)
			continue
		}
		fmt.Fprintf(b, "  INVALID  %s\n           %s (%s)\n", what, s.Problem, s.Code)
		for _, k := range s.Tried {
			fmt.Fprintf(b, "           tried    %s\n", k)
		}
		if s.Enclosed != nil {
			fmt.Fprintf(b, "           enclosed %s\n", s.Enclosed)
		}
	}
	for _, c := range r.Checks {
		switch c.ID {
		case "encoding", "xml", "type", "assertions", "signature_required", "issuer":
			if c.Result == explain.Fail {
				fmt.Fprintf(b, "  FAIL     %s\n", sentence(c))
			}
		}
	}
	for i := range r.Inside {
		printSignatures(b, &r.Inside[i])
	}
}

func samlExplain(cmd *cobra.Command, reports []explain.Report) error {
	all := reportsOf(reports)
	var err error
	if wantsJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), all)
	} else {
		var b strings.Builder
		for i := range reports {
			if i > 0 {
				b.WriteByte('\n')
			}
			printReport(&b, &reports[i], "")
		}
		err = printVisible(cmd.OutOrStdout(), b.String())
	}
	if err == nil && all.Failed {
		return errors.New("a check failed")
	}
	return err
}

func printReport(b *strings.Builder, r *explain.Report, indent string) {
	fmt.Fprintln(b, indent+heading(r.Kind, r.Source, r.RelayState))
	if r.Source != "" && r.JudgedAt != "" {
		fmt.Fprintf(b, "%s  judged at %s\n", indent, r.JudgedAt)
	}
	for _, c := range r.Checks {
		word := map[explain.Result]string{explain.Pass: "pass", explain.Fail: "FAIL", explain.NotJudged: "?   "}[c.Result]
		code := ""
		if c.Code != "" {
			code = " [" + string(c.Code) + "]"
		}
		fmt.Fprintf(b, "%s  %s  %s%s\n", indent, word, c.Title, code)
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(b, "%s        %s%s\n", indent, name, text)
			}
		}
		line("", c.Detail)
		if c.Result != explain.Fail {
			continue
		}
		line("seen      ", c.Seen)
		line("expected  ", c.Expected)
		line("clause    ", c.Clause)
		line("fixed by  ", string(c.Who))
	}
	for i := range r.Inside {
		printReport(b, &r.Inside[i], indent+"  ")
	}
}

// printVisible prints what came from outside: what a terminal could take for a
// command, or use to hide something, is escaped.
func printVisible(w io.Writer, s string) error {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
