package peer

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"text/template"
)

const shibbolethHint = "apt-get install apache2 libapache2-mod-shib shibboleth-sp-utils"

// Shibboleth starts Apache with mod_shib, and shibd, in front of a page that
// tells what they put into its environment. Its pages about errors and logouts
// are templates, and ours are JSON.
func Shibboleth(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const name = "Shibboleth"
	refuseBeyond(t, name, o)
	apache := Need(t, "apache2", shibbolethHint)
	shibd := Need(t, "shibd", shibbolethHint)
	modules := Need(t, "/usr/lib/apache2/modules/", shibbolethHint)
	Need(t, filepath.Join(modules, "mod_shib.so"), shibbolethHint)
	python := Need(t, "/usr/bin/python3", "apt-get install python3")

	k := keys(t)
	dir := tempDir(t)
	put(t, dir, "key.pem", k.keyPEM)
	put(t, dir, "cert.pem", k.certPEM)
	put(t, dir, "idp.xml", o.narrowed(t))
	for name, content := range shibbolethFiles {
		put(t, dir, name, []byte(content))
	}
	attributes, err := os.ReadFile(testdata(t, "shibboleth", "attribute-map.xml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "attribute-map.xml", attributes)
	showPage(t, dir, python, testdata(t, "shibboleth", "show.py"))

	sp := &SP{Name: name}
	var stopDaemon func()
	base, end := serve(t, hostShibboleth, "/", func(addr string) command {
		if stopDaemon != nil {
			stopDaemon() // Of a try whose port was taken.
		}
		values := map[string]any{
			"Dir": dir, "Addr": addr, "Modules": modules, "IdP": readIdP(t, o.IdPMetadata).EntityID, "O": o,
			"ACS": shibbolethACS(o), "Request": Redirect, "LogoutBy": Redirect, "Sign": shibbolethSigns(o),
		}
		if o.RequestByPOST {
			values["Request"] = POST
		}
		if o.LogoutBy != "" {
			values["LogoutBy"] = o.LogoutBy
		}
		config := put(t, dir, "shibboleth2.xml", render(t, shibbolethConfig, values))
		stopDaemon = startShibd(t, shibd, dir, config)
		sp.ACS = "http://" + addr + "/Shibboleth.sso/SAML2/" + shibbolethACS(o).Short()
		return command{
			name: name,
			args: []string{apache, "-f", put(t, dir, "httpd.conf", render(t, shibbolethApache, values)), "-DFOREGROUND"},
			dir:  dir,
			drop: true,
			log:  filepath.Join(dir, "log"),
		}
	})
	sp.URL = base
	sp.EntityID = base + "/shibboleth"
	sp.LoginURL = base + "/Shibboleth.sso/Login?target=" + base + "/secret"
	sp.LogoutURL = base + "/Shibboleth.sso/Logout"
	sp.WhoURL, sp.SecretURL = base+"/who", base+"/secret"
	sp.Metadata = fetch(t, base+"/Shibboleth.sso/Metadata")
	if !o.EncryptAssertions {
		sp.Metadata = encryptionKey.ReplaceAll(sp.Metadata, nil)
	}
	sp.end = func() {
		end()
		stopDaemon()
	}
	return sp
}

// shibbolethACS is the binding of its AssertionConsumerService.
func shibbolethACS(o SPOptions) Binding {
	if o.Artifact {
		return Artifact
	}
	return POST
}

// shibbolethSigns is the value of its signing setting, which knows no difference
// between requests for a login and for a logout.
func shibbolethSigns(o SPOptions) string {
	switch {
	case o.SignRequests, len(o.Logout) > 0:
		return "true"
	case o.Artifact:
		return "back"
	}
	return "false"
}

// startShibd starts the daemon that does mod_shib's SAML and waits for its socket.
func startShibd(t testing.TB, shibd, dir, config string) (stop func()) {
	t.Helper()
	socket := filepath.Join(dir, "shibd.sock")
	c := command{
		name: "shibd", args: []string{shibd, "-f", "-F", "-c", config, "-p", filepath.Join(dir, "shibd.pid")},
		dir: dir, drop: true, log: filepath.Join(dir, "shibd.out"),
	}
	p, err := spawn(c)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(p.stop)
	t.Cleanup(func() {
		stop()
		showLog(t, c)
		c.log = filepath.Join(dir, "shibd.log")
		showLog(t, c)
	})
	err = p.ready(t.Context(), func(context.Context) error {
		_, err := os.Stat(socket)
		return err
	})
	if err != nil {
		t.Fatalf("starting shibd: %v\n%s", err, tail(c.log))
	}
	return stop
}

// shibbolethFiles are small files of its folder.
var shibbolethFiles = map[string]string{
	"logger": `log4j.rootCategory=INFO, out
log4j.category.OpenSAML=DEBUG
log4j.category.XMLTooling.XMLObject=WARN
log4j.category.Shibboleth.Listener=WARN
log4j.appender.out=org.apache.log4j.FileAppender
log4j.appender.out.fileName=shibd.log
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%p %c %m%n
`,
	"native": `log4j.rootCategory=WARN, out
log4j.appender.out=org.apache.log4j.FileAppender
log4j.appender.out.fileName=native.log
log4j.appender.out.layout=org.apache.log4j.BasicLayout
`,
	"error.json":   `{"error": "<shibmlp errorType/>: <shibmlp errorText/>", "status": ["<shibmlp statusCode/>", "<shibmlp statusCode2/>"]}`,
	"global.json":  `{"loggedOut": true}`,
	"partial.json": `{"loggedOut": false, "error": "the logout was partial"}`,
	"local.json":   `{"loggedOut": false, "error": "the logout was local"}`,
}

var shibbolethApache = template.Must(template.New("httpd.conf").Parse(`
ServerName {{.Addr}}
ServerRoot "{{.Dir}}"
Listen {{.Addr}}
PidFile "{{.Dir}}/pid"
DefaultRuntimeDir "{{.Dir}}"
Mutex file:{{.Dir}}
ErrorLog "{{.Dir}}/log"
LogLevel info
LoadModule mpm_event_module {{.Modules}}mod_mpm_event.so
LoadModule authn_core_module {{.Modules}}mod_authn_core.so
LoadModule authz_core_module {{.Modules}}mod_authz_core.so
LoadModule alias_module {{.Modules}}mod_alias.so
LoadModule cgid_module {{.Modules}}mod_cgid.so
LoadModule mod_shib {{.Modules}}mod_shib.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
ScriptSock "{{.Dir}}/cgi.sock"
DocumentRoot "{{.Dir}}"
ScriptAlias /secret "{{.Dir}}/show"
ScriptAlias /who "{{.Dir}}/show"
ShibConfig "{{.Dir}}/shibboleth2.xml"
ShibCompatValidUser Off
<Location /Shibboleth.sso>
  AuthType None
  Require all granted
</Location>
<Location /who>
  AuthType shibboleth
  Require shibboleth
</Location>
<Location /secret>
  AuthType shibboleth
  ShibRequestSetting requireSession 1
  Require shib-session
</Location>
`))

var shibbolethConfig = template.Must(template.New("shibboleth2.xml").Parse(
	`<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" clockSkew="180">
<OutOfProcess logger="{{.Dir}}/logger"/>
<InProcess logger="{{.Dir}}/native"/>
<UnixListener address="{{.Dir}}/shibd.sock"/>
<StorageService type="Memory" id="mem" cleanupInterval="900"/>
<SessionCache type="StorageService" StorageService="mem" cacheAllowance="900" inprocTimeout="1"/>
<ReplayCache StorageService="mem"/>
<RequestMapper type="Native"><RequestMap/></RequestMapper>
<ApplicationDefaults entityID="http://{{.Addr}}/shibboleth" signing="{{.Sign}}"
    signingAlg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" digestAlg="http://www.w3.org/2001/04/xmlenc#sha256" requireTransportAuth="false" requireConfidentiality="false">
<Sessions lifetime="28800" timeout="3600" relayState="ss:mem" checkAddress="false" handlerURL="/Shibboleth.sso" handlerSSL="false"
    cookieProps="; path=/; HttpOnly" redirectLimit="exact">
<SessionInitiator type="Chaining" Location="/Login" isDefault="true" id="login"{{if not .O.Discovery}} entityID="{{.IdP}}"{{end}}>
<SessionInitiator type="SAML2" acsByIndex="false" outgoingBindings="{{.Request.URI}}"
    template="/etc/shibboleth/bindingTemplate.html" postTemplate="/etc/shibboleth/postTemplate.html"
    {{- if .O.NameIDFormat}} NameIDFormat="{{.O.NameIDFormat}}"{{end}}
    {{- if .O.ForceAuthn}} forceAuthn="true"{{end}}
    {{- if .O.IsPassive}} isPassive="true"{{end}}
    {{- if .O.AuthnContext}} authnContextClassRef="{{.O.AuthnContext}}" authnContextComparison="exact"{{end}}
    {{- if .O.ECP}} ECP="true"{{end}}/>
{{- with .O.Discovery}}
<SessionInitiator type="SAMLDS" URL="{{.}}"/>
{{- end}}
</SessionInitiator>
<md:AssertionConsumerService Location="/SAML2/{{.ACS.Short}}" index="1" Binding="{{.ACS.URI}}"/>
{{- if .O.ECP}}
<md:AssertionConsumerService Location="/SAML2/ECP" index="2" Binding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS"/>
{{- end}}
<LogoutInitiator type="Chaining" Location="/Logout">
<LogoutInitiator type="SAML2" asynchronous="{{.O.AsyncLogout}}" outgoingBindings="{{.LogoutBy.URI}}" postTemplate="/etc/shibboleth/postTemplate.html"/>
<LogoutInitiator type="Local"/>
</LogoutInitiator>
{{- range .O.Logout}}
<md:SingleLogoutService Location="/SLO/{{.Short}}" Binding="{{.URI}}" conf:template="/etc/shibboleth/bindingTemplate.html" xmlns:conf="urn:mace:shibboleth:3.0:native:sp:config"/>
{{- end}}
<Handler type="MetadataGenerator" Location="/Metadata" signing="false"/>
</Sessions>
<Errors session="{{.Dir}}/error.json" metadata="{{.Dir}}/error.json" access="{{.Dir}}/error.json" ssl="{{.Dir}}/error.json"
    localLogout="{{.Dir}}/local.json" globalLogout="{{.Dir}}/global.json" partialLogout="{{.Dir}}/partial.json"/>
<MetadataProvider type="XML" path="{{.Dir}}/idp.xml" reloadChanges="false"/>
<AttributeExtractor type="XML" path="{{.Dir}}/attribute-map.xml" reloadChanges="false"/>
<CredentialResolver type="File" key="{{.Dir}}/key.pem" certificate="{{.Dir}}/cert.pem"/>
</ApplicationDefaults>
<SecurityPolicyProvider type="XML" path="/etc/shibboleth/security-policy.xml"/>
<ProtocolProvider type="XML" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
`))
