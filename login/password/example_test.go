package password_test

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/samlet-id/samlet/login/password"
)

func ExampleCheck() {
	fmt.Println(password.Check("correct horse battery", "ada"))
	fmt.Println(password.Check("swordfish", "ada"))
	// Output:
	// <nil>
	// password.weak: The password is too short: it has 9 characters and needs at least 12. (seen "", expected "12 characters or more")
}

func ExampleParams_Hash() {
	secret, err := password.DefaultParams().Hash(rand.Reader, "correct horse battery")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret, strings.HasPrefix(secret.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$"))
	// Output: [redacted] true
}
