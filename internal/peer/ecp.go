package peer

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"
)

// ECP signs a person in without a browser, with pysaml2's client for the Enhanced
// Client or Proxy profile: it asks the SP for its page, carries the AuthnRequest
// to the identity provider with the password, and brings the Response back.
func ECP(t testing.TB, sp *SP, idpMetadata []byte, user, password string) Login {
	t.Helper()
	const hint = "apt-get install python3-pysaml2 xmlsec1"
	python := Need(t, "/usr/bin/python3", hint)
	Need(t, "/usr/lib/python3/dist-packages/saml2", hint)
	dir := tempDir(t)
	config, err := json.Marshal(map[string]string{
		"url": sp.SecretURL, "idp": readIdP(t, idpMetadata).EntityID,
		"metadata": put(t, dir, "idp.xml", idpMetadata), "user": user, "password": password,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, testdata(t, "python", "ecp.py"), put(t, dir, "ecp.json", config))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("running pysaml2's ECP client: %v\n%s", err, stderr.Bytes())
	}
	var l Login
	if err := json.Unmarshal(stdout.Bytes(), &l); err != nil {
		t.Fatalf("after a login by ECP %s shows no login: %v\n%s", sp.Name, err, stdout.Bytes())
	}
	if l.Error != "" {
		t.Logf("pysaml2's ECP client said: %s", stderr.Bytes())
	}
	return l
}
