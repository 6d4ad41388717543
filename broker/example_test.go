package broker_test

import (
	"fmt"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
)

// An upstream's own attribute names become canonical ones; what no rule takes is
// dropped.
func ExampleMapping_Apply() {
	catalogue, err := identity.NewCatalogue(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mapping, err := broker.NewMapping([]identity.MapRule{
		{To: identity.Mail, From: []string{"urn:oid:0.9.2342.19200300.100.1.3", "email"}},
		{To: identity.Groups, Constant: []string{"partner"}},
	}, catalogue)
	if err != nil {
		fmt.Println(err)
		return
	}
	said := identity.Assertion{Attributes: identity.Attributes{"email": {"ada@example.test"}, "shoeSize": {"38"}}}
	mapped, err := mapping.Apply("partner", said)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(mapped.Attributes)
	// Output: map[groups:[partner] mail:[ada@example.test]]
}
