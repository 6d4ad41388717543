package rp_test

import (
	"fmt"

	"github.com/samlet-id/samlet/broker/rp"
)

// What a connector cannot do without is demanded at once, without a call.
func ExampleNew() {
	_, err := rp.New(rp.Config{Issuer: "https://op.partner.test", ClientID: "samlet"})
	fmt.Println(err)
	// Output: rp: client ID, HTTP client, store and randomness are required
}
