package main

import (
	"bytes"
	"io"
	"net"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// TestDemoDirectory asks the demo's directory by a client that others wrote, and holds
// that it ends while somebody is connected.
func TestDemoDirectory(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDemoDirectory(demoStaff, "searcher")
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ln) }()
	conn, err := ldap.DialURL("ldap://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const dora = "uid=dora,ou=people," + demoBase
	for _, tc := range []struct {
		dn, password string
		code         uint16
	}{
		{demoSearcher, "searcher", ldap.LDAPResultSuccess}, {dora, demoPassword, ldap.LDAPResultSuccess},
		{dora, "wrong", ldap.LDAPResultInvalidCredentials}, {dora, "searcher", ldap.LDAPResultInvalidCredentials}, {"uid=eve", demoPassword, ldap.LDAPResultInvalidCredentials},
	} {
		bind := ldap.NewSimpleBindRequest(tc.dn, tc.password, []ldap.Control{ldap.NewControlBeheraPasswordPolicy()})
		if _, err := conn.SimpleBind(bind); (err == nil) != (tc.code == ldap.LDAPResultSuccess) || err != nil && !ldap.IsErrorWithCode(err, tc.code) {
			t.Errorf("binding as %s with %q: %v, want code %d", tc.dn, tc.password, err, tc.code)
		}
	}
	for filter, want := range map[string]int{
		"(uid=dora)": 1, "(&(objectClass=inetOrgPerson)(|(uid=x)(mail=DORA@directory.test)))": 1, "(uid=*)": 1, "(!(uid=dora))": 1,
		"(member=" + dora + ")": 1, "(uid=eve)": 0, "(&(uid=dora)(sn=Other))": 0, "(uid=do*)": 0, "(sn>=A)": 0, "(objectClass=*)": 2,
	} {
		found, err := conn.Search(ldap.NewSearchRequest(demoBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, nil, nil))
		if err != nil || len(found.Entries) != want {
			t.Errorf("%s: got %v, %v, want %d entries", filter, found, err, want)
		}
	}
	d.hangUp()
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the directory ended with %v", err)
	}
}

// FuzzDemoDirectory sends bytes that are hardly a message.
func FuzzDemoDirectory(f *testing.F) {
	bind := ber.NewSequence("")
	bind.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(octets("uid=eve"))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "pw", ""))
	bind.AppendChild(op)
	f.Add(bind.Bytes())
	for _, tag := range []ber.Tag{ldap.ApplicationSearchRequest, ldap.ApplicationUnbindRequest, ldap.ApplicationDelRequest} {
		m := ber.NewSequence("")
		m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 2, ""))
		m.AppendChild(ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, ""))
		f.Add(m.Bytes())
	}
	d := newDemoDirectory(demoStaff, "searcher")
	f.Fuzz(func(t *testing.T, sent []byte) {
		var answers bytes.Buffer
		d.answer(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(sent), &answers})
		for answers.Len() > 0 {
			if a, err := ber.ReadPacket(&answers); err != nil || len(a.Children) != 2 {
				t.Fatalf("to %x came no message: %v, %v", sent, a, err)
			}
		}
	})
}
