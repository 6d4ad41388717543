package peer

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

const mellonHint = "apt-get install apache2 libapache2-mod-auth-mellon"

// Mellon starts Apache with mod_auth_mellon in front of a page that tells what
// mellon put into its environment.
//
// Mellon takes the NameIDPolicy from its own metadata, so that file is ours; it
// wants a cookie on the cross-site POST, so it is set up as behind TLS, with
// SameSite=None; Secure, which browsers accept on loopback.
func Mellon(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const name = "mod_auth_mellon"
	refuseBeyond(t, name, o)
	apache := Need(t, "apache2", mellonHint)
	modules := Need(t, "/usr/lib/apache2/modules/", mellonHint)
	Need(t, filepath.Join(modules, "mod_auth_mellon.so"), mellonHint)
	python := Need(t, "/usr/bin/python3", "apt-get install python3")

	k := keys(t)
	dir := tempDir(t)
	put(t, dir, "key.pem", k.keyPEM)
	put(t, dir, "cert.pem", k.certPEM)
	put(t, dir, "idp.xml", o.narrowed(t))

	showPage(t, dir, python, testdata(t, "mellon", "show.py"))

	sp := &SP{Name: name}
	base, end := serve(t, hostMellon, "/", func(addr string) command {
		url := "http://" + addr
		sp.EntityID = url + "/mellon/metadata"
		sp.ACS = url + "/mellon/postResponse"
		if o.Artifact {
			sp.ACS = url + "/mellon/artifactResponse"
		}
		put(t, dir, "sp.xml", mellonMetadata(t, o, k, sp))
		conf := render(t, mellonConf, map[string]string{
			"Modules": modules, "Dir": dir, "Addr": addr, "Class": o.AuthnContext, "Discovery": o.Discovery,
		})
		return command{
			name: name,
			args: []string{apache, "-f", put(t, dir, "httpd.conf", conf), "-DFOREGROUND"},
			dir:  dir,
			drop: true,
			log:  filepath.Join(dir, "log"),
		}
	})
	sp.URL, sp.end = base, end
	sp.WhoURL, sp.SecretURL = base+"/who", base+"/secret"
	sp.LogoutURL = base + "/mellon/logout?ReturnTo=" + base + "/loggedout"
	sp.LoginURL = base + "/mellon/login?ReturnTo=" + base + "/secret"
	if o.IsPassive {
		sp.LoginURL += "&IsPassive=true"
	}
	sp.Metadata = fetch(t, sp.EntityID)
	return sp
}

// showPage puts a CGI program into the folder, as "show".
func showPage(t testing.TB, dir, python, source string) {
	t.Helper()
	script, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	show := put(t, dir, "show", append([]byte("#!"+python+"\n"), script...))
	if err := os.Chmod(show, 0o700); err != nil {
		t.Fatal(err)
	}
}

func render(t testing.TB, tmpl *template.Template, data any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := tmpl.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mellonConf lists its modules because a laptop's /etc/apache2 is not ours to
// use.
var mellonConf = template.Must(template.New("httpd.conf").Parse(`
ServerName {{.Addr}}
ServerRoot "{{.Dir}}"
Listen {{.Addr}}
PidFile "{{.Dir}}/pid"
DefaultRuntimeDir "{{.Dir}}"
Mutex file:{{.Dir}}
ErrorLog "{{.Dir}}/log"
LogLevel info auth_mellon:debug
LoadModule mpm_event_module {{.Modules}}mod_mpm_event.so
LoadModule authn_core_module {{.Modules}}mod_authn_core.so
LoadModule authz_core_module {{.Modules}}mod_authz_core.so
LoadModule authz_user_module {{.Modules}}mod_authz_user.so
LoadModule alias_module {{.Modules}}mod_alias.so
LoadModule cgid_module {{.Modules}}mod_cgid.so
LoadModule auth_mellon_module {{.Modules}}mod_auth_mellon.so
StartServers 1
ServerLimit 2
ThreadsPerChild 8
MaxRequestWorkers 16
MinSpareThreads 1
MaxSpareThreads 16
MellonLockFile "{{.Dir}}/mellon.lock"
ScriptSock "{{.Dir}}/cgi.sock"
DocumentRoot "{{.Dir}}"
ScriptAlias /secret "{{.Dir}}/show"
ScriptAlias /who "{{.Dir}}/show"
ScriptAlias /loggedout "{{.Dir}}/show"
<Location />
  Require all granted
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSPMetadataFile "{{.Dir}}/sp.xml"
  MellonSPPrivateKeyFile "{{.Dir}}/key.pem"
  MellonSPCertFile "{{.Dir}}/cert.pem"
  MellonIdPMetadataFile "{{.Dir}}/idp.xml"
  MellonSecureCookie On
  MellonCookieSameSite None
  MellonSessionDump On
  MellonDefaultLoginPath /secret
{{- with .Discovery}}
  MellonDiscoveryURL "{{.}}"
{{- end}}
{{- with .Class}}
  MellonAuthnContextClassRef "{{.}}"
{{- end}}
</Location>
<Location /secret>
  AuthType Mellon
  Require valid-user
  MellonEnable auth
</Location>
`))

func mellonMetadata(t testing.TB, o SPOptions, k keyPair, sp *SP) []byte {
	t.Helper()
	base := strings.TrimSuffix(sp.EntityID, "metadata")
	acs := POST
	if o.Artifact {
		acs = Artifact
	}
	return render(t, mellonMetadataFile, map[string]any{
		"EntityID": sp.EntityID, "Base": base, "Binding": acs, "ACS": sp.ACS, "Cert": k.certBase64(), "Format": o.NameIDFormat,
		"Signed": o.SignRequests, "Encrypt": o.EncryptAssertions, "Logout": o.Logout, "ECP": o.ECP,
	})
}

var mellonMetadataFile = template.Must(template.New("sp.xml").Parse(
	`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{{.EntityID}}">
<SPSSODescriptor AuthnRequestsSigned="{{.Signed}}" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{{.Cert}}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
{{- if .Encrypt}}
<KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{{.Cert}}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
{{- end}}
{{- range .Logout}}
<SingleLogoutService Binding="{{.URI}}" Location="{{$.Base}}logout"/>
{{- end}}
{{- with .Format}}
<NameIDFormat>{{.}}</NameIDFormat>
{{- end}}
<AssertionConsumerService index="0" isDefault="true" Binding="{{.Binding.URI}}" Location="{{.ACS}}"/>
{{- if .ECP}}
<AssertionConsumerService index="1" Binding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS" Location="{{.Base}}paosResponse"/>
{{- end}}
</SPSSODescriptor>
</EntityDescriptor>
`))
