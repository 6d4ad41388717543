package identity

import (
	"slices"
	"time"
)

// RecordID names one Record for ever; it is opaque and never reused.
type RecordID string

// Source says where an attribute value came from: the connection whose login
// brought it, SourceOperator or SourcePerson.
type Source string

// The sources that are no connection. A colon keeps them apart from connection
// slugs.
const (
	SourceOperator Source = "samlet:operator" // set by the command line or an import
	SourcePerson   Source = "samlet:person"   // typed by the person
)

// Value is one value of one attribute, with its origin.
type Value struct {
	Name   Name
	Value  string
	Source Source
}

// Record is the local identity record: what samlet keeps of one person.
type Record struct {
	ID       RecordID
	Logins   []string // sign-in names, unique over all records, as LoginKey folds them
	Disabled bool
	// Organization is the one that the record belongs to, if any: only its own
	// connections bring the person in.
	Organization OrganizationID
	Values       []Value
	Created      time.Time
	Updated      time.Time
}

// Attributes returns the record's values under their canonical names, each
// value once, in stored order, whatever its source.
func (r Record) Attributes() Attributes {
	a := make(Attributes, len(r.Values))
	// The values of one name stand together as a rule, and share one array with
	// all others; who appends to them gets one of their own.
	all := make([]string, 0, len(r.Values))
	for _, v := range r.Values {
		known := a[v.Name]
		switch {
		case slices.Contains(known, v.Value):
		case len(known) > 0 && &known[len(known)-1] != &all[len(all)-1]:
			a[v.Name] = append(known, v.Value)
		default:
			all = append(all, v.Value)
			a[v.Name] = all[len(all)-1-len(known) : len(all) : len(all)]
		}
	}
	return a
}

// Reconcile makes the values that came from source exactly those of a: new ones
// are added, lost ones removed, values of other sources left alone. It reports
// whether anything changed. Values of one name keep the order of a; names are
// stored in sorted order.
func (r *Record) Reconcile(source Source, a Attributes) bool {
	var next []Value
	for _, v := range r.Values {
		if v.Source != source {
			next = append(next, v)
		}
	}
	for _, n := range a.Names() {
		for i, v := range a[n] {
			if !slices.Contains(a[n][:i], v) {
				next = append(next, Value{Name: n, Value: v, Source: source})
			}
		}
	}
	slices.SortStableFunc(next, func(x, y Value) int {
		if c := compareNames(x.Name, y.Name); c != 0 {
			return c
		}
		return compareNames(Name(x.Source), Name(y.Source))
	})
	if slices.Equal(next, r.Values) {
		return false
	}
	r.Values = next
	return true
}

func compareNames(a, b Name) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Link says that an upstream's Principal is a Record. Its key is (Issuer,
// Subject), never an e-mail address.
type Link struct {
	Principal  Principal
	Record     RecordID
	Connection ConnectionID // the connection that made it
	Created    time.Time
	LastUsed   time.Time
}

// CredentialKind says what sort of authenticator a Credential is.
type CredentialKind string

// The kinds in use.
const CredentialPassword CredentialKind = "password"

// Credential is an authenticator bound to a Record. For a password, Secret is
// the hash in PHC format.
type Credential struct {
	ID      string
	Record  RecordID
	Kind    CredentialKind
	Secret  Secret
	Created time.Time
	Updated time.Time
}

// NameID is a stored identifier for one person at one relying party. It is made
// once and never computed again, so that no change of key, mail or URL can
// change it (SAML Core 8.3.7).
type NameID struct {
	Record    RecordID
	Principal Principal // Issuer: our entityID; SPNameQualifier: the relying party
	Created   time.Time
}
