package templates

import (
	"html/template"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// view is the dot of every template.
type view struct {
	Chrome
	Page      any
	translate func(lang, english string) string
}

// T returns a text of ours in the page's language, escaped. Each %s in it stands
// for one of args, which are data: they are escaped, never translated, and set
// apart with bdi, so that a name in another direction leaves the sentence whole.
func (v view) T(english string, args ...string) template.HTML {
	text := english
	if v.translate != nil {
		if t := v.translate(v.Lang, english); t != "" {
			text = t
		}
	}
	text = template.HTMLEscapeString(text)
	for _, a := range args {
		text = strings.Replace(text, "%s", "<bdi>"+strings.ReplaceAll(template.HTMLEscapeString(a), "%", "&#37;")+"</bdi>", 1)
	}
	return template.HTML(text) //nolint:gosec // both the text and the arguments were escaped above
}

// Outcomes lists the states of a logout.
func (v view) Outcomes() []identity.LogoutState {
	return []identity.LogoutState{identity.LogoutPending, identity.LogoutDone, identity.LogoutFailed, identity.LogoutUnsupported}
}

// Outcome says a state of a logout to the person whose logout it is.
func (v view) Outcome(s identity.LogoutState) template.HTML {
	switch s {
	case identity.LogoutDone:
		return v.T("Signed out")
	case identity.LogoutFailed:
		return v.T("Not reachable")
	case identity.LogoutUnsupported:
		return v.T("Does not support it")
	case identity.LogoutPending:
		return v.T("Waiting")
	}
	return v.T("Waiting")
}

// Product returns what the service calls itself.
func (v view) Product() string {
	if v.ProductName == "" {
		return "samlet"
	}
	return v.ProductName
}

// Dir returns the direction in which the page's language is written.
func (v view) Dir() string {
	base, _, _ := strings.Cut(v.Lang, "-")
	switch base {
	case "ar", "dv", "fa", "he", "ps", "ur", "yi":
		return "rtl"
	}
	return "ltr"
}
