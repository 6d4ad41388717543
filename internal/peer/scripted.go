package peer

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// PySAML2 starts a service provider made of pysaml2 and Python's http.server.
func PySAML2(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const hint = "apt-get install python3-pysaml2 python3-lxml xmlsec1"
	python := Need(t, "/usr/bin/python3", hint)
	Need(t, "/usr/lib/python3/dist-packages/saml2", hint)
	Need(t, "/usr/lib/python3/dist-packages/lxml", hint)
	Need(t, "xmlsec1", hint)
	return scripted(t, "pysaml2", hostPySAML2, o, python, testdata(t, "python", "sp.py"))
}

// OneLogin starts a service provider made of OneLogin's python3-saml and Python's
// http.server. The library speaks HTTP-Redirect alone towards identity providers.
func OneLogin(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const hint = "apt-get install python3-onelogin-saml2"
	python := Need(t, "/usr/bin/python3", hint)
	Need(t, "/usr/lib/python3/dist-packages/onelogin", hint)
	return scripted(t, "python3-saml", hostOneLogin, o, python, testdata(t, "python", "onelogin_sp.py"))
}

// NodeSAML starts a service provider made of @node-saml/node-saml and node:http.
func NodeSAML(t testing.TB, o SPOptions) *SP {
	t.Helper()
	node := nodeModule(t, "@node-saml/node-saml")
	return scripted(t, "node-saml", hostNodeSAML, o, node, testdata(t, "node", "node-saml.mjs"))
}

// Samlify starts a service provider made of samlify and node:http. It validates
// every message against the OASIS schemas before it looks into it.
func Samlify(t testing.TB, o SPOptions) *SP {
	t.Helper()
	node := nodeModule(t, "samlify")
	Need(t, "xmllint", xmllintHint)
	return scripted(t, "samlify", hostSamlify, o, node, testdata(t, "node", "samlify.mjs"))
}

// RubySAML starts a service provider made of ruby-saml and WEBrick.
func RubySAML(t testing.TB, o SPOptions) *SP {
	t.Helper()
	const hint = "apt-get install ruby ruby-saml ruby-webrick"
	ruby := Need(t, "/usr/bin/ruby", hint)
	Need(t, "/usr/share/rubygems-integration/all/specifications", hint)
	return scripted(t, "ruby-saml", hostRubySAML, o, ruby, testdata(t, "ruby", "sp.rb"))
}

// scriptConfig is what a scripted service provider reads from the file that its
// only argument names.
type scriptConfig struct {
	Host    string
	Port    string
	Dir     string // its own folder
	Key     string // files
	Cert    string
	IdPFile string
	IdP     idpFacts
	Schemas string
	SPOptions
}

// scripted starts one of the small programs below testdata. All of them have the
// paths /metadata, /login, /acs, /logout, /slo and /, where the last login is
// told as JSON.
func scripted(t testing.TB, name, host string, o SPOptions, argv ...string) *SP {
	t.Helper()
	refuseBeyond(t, name, o)
	k := keys(t)
	dir := tempDir(t)
	c := scriptConfig{
		Host: host, Dir: dir, SPOptions: o,
		Key: put(t, dir, "key.pem", k.keyPEM), Cert: put(t, dir, "cert.pem", k.certPEM),
		IdP:     readIdP(t, o.IdPMetadata),
		IdPFile: put(t, dir, "idp.xml", o.IdPMetadata),
	}
	if name == "samlify" {
		c.Schemas = writeSchemas(t, filepath.Join(dir, "schemas"))
	}
	base, end := serve(t, host, "/metadata", func(addr string) command {
		c.Port = portOf(addr)
		config, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return command{
			name: name,
			args: append(argv, put(t, dir, "config.json", config)),
			env:  []string{"PYTHONDONTWRITEBYTECODE=1", "NODE_ENV=production", "HOME=" + dir},
			dir:  dir,
			log:  filepath.Join(dir, "log"),
		}
	})
	return &SP{
		Name:      name,
		EntityID:  base + "/metadata",
		URL:       base,
		LoginURL:  base + "/login",
		LogoutURL: base + "/logout",
		WhoURL:    base + "/",
		ACS:       base + "/acs",
		Metadata:  fetch(t, base+"/metadata"),
		end:       end,
	}
}
