package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// DirectoryBase and the account that may search a Directory.
const (
	DirectoryBase     = "dc=example,dc=test"
	DirectoryDN       = "cn=samlet,dc=example,dc=test"
	DirectoryPassword = "search, and find"
)

// Directory is an OpenLDAP server on loopback. It takes StartTLS at URL. Entries may
// name their password policy by pwdPolicySubentry.
type Directory struct {
	URL    string
	TLSURL string // ldaps
	CA     []byte // PEM, of its certificate
	addr   string
	dir    string
	p      *process
}

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
TLSCertificateFile DIR/cert.pem
TLSCertificateKeyFile DIR/key.pem
sizelimit 500
database mdb
maxsize 67108864
suffix "` + DirectoryBase + `"
rootdn "` + DirectoryDN + `"
rootpw "` + DirectoryPassword + `"
directory DIR/data
index objectClass,uid,mail,member eq
limits dn.exact="` + DirectoryDN + `" size=unlimited
overlay ppolicy
ppolicy_use_lockout
`

// Slapd starts OpenLDAP with the entries of ldif below DirectoryBase.
func Slapd(t testing.TB, ldif string) *Directory {
	t.Helper()
	const hint = "apt-get install slapd"
	Need(t, "slapd", hint)
	add := Need(t, "slapadd", hint)
	d := &Directory{dir: tempDir(t), addr: freeAddr(t, "127.0.0.1")}
	d.URL, d.TLSURL = "ldap://"+d.addr, "ldaps://"+freeAddr(t, "127.0.0.1")
	cert, key := serverCertificate(t, "127.0.0.1")
	d.CA = cert
	put(t, d.dir, "cert.pem", cert)
	put(t, d.dir, "key.pem", key)
	if err := os.Mkdir(filepath.Join(d.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := own(filepath.Join(d.dir, "data")); err != nil {
		t.Fatal(err)
	}
	conf := put(t, d.dir, "slapd.conf", []byte(strings.ReplaceAll(slapdConf, "DIR", d.dir)))
	in := put(t, d.dir, "in.ldif", []byte("dn: "+DirectoryBase+"\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"+ldif))
	p, err := spawn(command{name: "slapadd", args: []string{add, "-q", "-f", conf, "-l", in}, dir: d.dir, log: filepath.Join(d.dir, "add.log"), drop: true})
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	p.stop()
	if p.end != "exit status 0" {
		t.Fatalf("slapadd: %s\n%s", p.end, tail(filepath.Join(d.dir, "add.log")))
	}
	d.Start(t)
	t.Cleanup(func() { d.Stop() })
	return d
}

// Start starts the server, at first and after a Stop, and waits for it.
func (d *Directory) Start(t testing.TB) {
	t.Helper()
	slapd := Need(t, "slapd", "apt-get install slapd")
	log := filepath.Join(d.dir, "log")
	p, err := spawn(command{
		name: "slapd", args: []string{slapd, "-d", "0", "-h", d.URL + " " + d.TLSURL, "-f", filepath.Join(d.dir, "slapd.conf")}, dir: d.dir, log: log, drop: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.ready(t.Context(), func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", d.addr)
		if err != nil {
			return fmt.Errorf("asking slapd: %w", err)
		}
		return conn.Close()
	})
	if err != nil {
		p.stop()
		t.Fatalf("starting slapd: %v\n%s", err, tail(log))
	}
	d.p = p
}

// Stop ends the server; its entries stay.
func (d *Directory) Stop() { d.p.stop() }

// Modify changes entries, as ldapmodify reads it (RFC 2849).
func (d *Directory) Modify(t testing.TB, ldif string) {
	t.Helper()
	modify := Need(t, "ldapmodify", "apt-get install ldap-utils")
	cmd := exec.CommandContext(t.Context(), modify, "-x", "-H", d.URL, "-D", DirectoryDN, "-w", DirectoryPassword)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}
