package identity_test

import (
	"fmt"

	"github.com/samlet-id/samlet/identity"
)

// A login replaces what its own source said before, and nothing else.
func ExampleRecord_Reconcile() {
	r := identity.Record{Values: []identity.Value{
		{Name: identity.Groups, Value: "auditors", Source: identity.SourceOperator},
		{Name: identity.Groups, Value: "staff", Source: "partner"},
	}}
	r.Reconcile("partner", identity.Attributes{identity.Groups: {"alumni"}})
	for _, v := range r.Values {
		fmt.Println(v.Name, v.Value, v.Source)
	}
	// Output:
	// groups alumni partner
	// groups auditors samlet:operator
}
