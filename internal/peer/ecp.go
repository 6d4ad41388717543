package peer

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
)

// ECP signs a person in without a browser, with lasso as the client of the
// Enhanced Client or Proxy profile: it asks the SP for its page, carries the
// AuthnRequest to the identity provider with the password, and brings the Response
// back. endpoint is where the identity provider takes requests by SOAP.
//
// pysaml2 has such a client too, but writes every envelope anew under other
// prefixes, which no signature survives, and an Accept header that mellon cannot
// read.
func ECP(t testing.TB, sp *SP, endpoint, user, password string) Login {
	t.Helper()
	const hint = "apt-get install python3-lasso"
	python := Need(t, "/usr/bin/python3", hint)
	Need(t, "/usr/lib/python3/dist-packages/lasso.py", hint)
	config, err := json.Marshal(map[string]string{"url": sp.SecretURL, "idp": endpoint, "user": user, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, testdata(t, "python", "ecp.py"), put(t, tempDir(t), "ecp.json", config))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("running lasso as an enhanced client: %v\n%s", err, stderr.Bytes())
	}
	var l Login
	if err := json.Unmarshal(stdout.Bytes(), &l); err != nil {
		t.Fatalf("after a login by ECP %s shows no login: %v\n%s", sp.Name, err, stdout.Bytes())
	}
	return l
}
