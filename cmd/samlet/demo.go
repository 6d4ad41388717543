package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Run samlet with a partner's identity provider, another's OpenID Provider, a third's directory, two applications and people to try, in a temporary folder",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "samlet-demo-")
			if err != nil {
				return fmt.Errorf("making the folder of the demo: %w", err)
			}
			d, err := startDemo(cmd.Context(), dir, cmd.ErrOrStderr())
			if err != nil {
				return errors.Join(err, os.RemoveAll(dir))
			}
			d.print(cmd.OutOrStdout())
			<-cmd.Context().Done()
			return errors.Join(d.Close(), os.RemoveAll(dir))
		},
	}
}

// demoPassword is the password of everybody in the demo.
const demoPassword = "correct horse battery"

// demoUser is one seeded person.
type demoUser struct {
	name string
	set  identity.Attributes
}

var (
	demoLocal = demoUser{"alice", identity.Attributes{
		identity.Mail: {"alice@samlet.test"}, identity.GivenName: {"Alice"}, identity.FamilyName: {"Adams"}, identity.Groups: {"staff", "admins"},
	}}
	demoPartner = demoUser{"pat", identity.Attributes{
		identity.Mail: {"pat@partner.test"}, identity.GivenName: {"Pat"}, identity.FamilyName: {"Park"}, identity.Groups: {"staff"},
	}}
	demoOpen = demoUser{"olga", identity.Attributes{
		identity.Mail: {"olga@openid.test"}, identity.GivenName: {"Olga"}, identity.FamilyName: {"Orlov"}, identity.Groups: {"partners"},
	}}
	demoStaff = demoUser{"dora", identity.Attributes{
		identity.Mail: {"dora@directory.test"}, identity.GivenName: {"Dora"}, identity.FamilyName: {"Dahl"}, identity.Groups: {"engineers"},
	}}
)

// demo is the world of `samlet demo`, which end-to-end tests start too: samlet,
// a partner's identity provider (a samlet of its own), another's OpenID Provider
// and a third's directory, which samlet brokers, and two applications.
type demo struct {
	Samlet    string // base URLs
	Partner   string
	OpenID    string
	Directory string // ldap URL
	Apps      [2]string

	dir     string // of samlet; the partner's is beside it
	samlet  *server
	stop    context.CancelFunc
	running sync.WaitGroup
	servers []*server
	apps    []*http.Server
	ends    []func() error // of what else is running

	connectors [2]*sp.Connector // of the applications

	mu  sync.Mutex
	err error // the first failure of a part that was running
}

// demoHosts are the hosts of samlet, the partner, the applications, the OpenID
// Provider and the directory. Each is on a host of its own, because cookies are not kept apart by
// ports. Outside of Linux only one loopback address answers, and names stand in.
func demoHosts() [6][2]string {
	if runtime.GOOS == "linux" {
		return [6][2]string{{"127.0.0.1", "127.0.0.1"}, {"127.0.0.2", "127.0.0.2"}, {"127.0.0.3", "127.0.0.3"}, {"127.0.0.4", "127.0.0.4"}, {"127.0.0.6", "127.0.0.6"}, {"127.0.0.7", "127.0.0.7"}}
	}
	return [6][2]string{{"localhost", "127.0.0.1"}, {"partner.localhost", "127.0.0.1"}, {"app1.localhost", "127.0.0.1"}, {"app2.localhost", "127.0.0.1"}, {"openid.localhost", "127.0.0.1"}, {"127.0.0.1", "127.0.0.1"}}
}

// startDemo builds the world in dir and starts it. On an error everything that
// was started has ended.
func startDemo(ctx context.Context, dir string, log io.Writer) (_ *demo, err error) {
	ctx, stop := context.WithCancel(ctx)
	d := &demo{dir: filepath.Join(dir, "samlet"), stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	var listeners [6]net.Listener
	var urls [6]string
	for i, host := range demoHosts() {
		if listeners[i], err = listenNear(host[1], 8080+i); err != nil {
			return nil, err
		}
		_, port, err := net.SplitHostPort(listeners[i].Addr().String())
		if err != nil {
			return nil, fmt.Errorf("reading the address: %w", err)
		}
		urls[i] = "http://" + net.JoinHostPort(host[0], port)
	}
	d.Samlet, d.Partner, d.Apps, d.OpenID = urls[0], urls[1], [2]string{urls[2], urls[3]}, urls[4]
	d.Directory = strings.Replace(urls[5], "http://", "ldap://", 1)

	partner, err := d.startServer(ctx, filepath.Join(dir, "partner"), d.Partner, listeners[1], log, demoPartner)
	if err != nil {
		return nil, err
	}
	if d.samlet, err = d.startServer(ctx, d.dir, d.Samlet, listeners[0], log, demoLocal); err != nil {
		return nil, err
	}
	if err := d.connectPartner(ctx, partner); err != nil {
		return nil, err
	}
	if err := d.startOpenID(ctx, listeners[4]); err != nil {
		return nil, err
	}
	if err := d.startDirectory(ctx, listeners[5]); err != nil {
		return nil, err
	}
	for i, name := range []string{"Application 1", "Application 2"} {
		if err := d.startApp(ctx, i, name, listeners[2+i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// listenNear takes the port on host, or any free one.
func listenNear(host string, port int) (net.Listener, error) {
	if ln, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(port))); err == nil {
		return ln, nil
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("taking a port on %s: %w", host, err)
	}
	return ln, nil
}

// startServer makes a samlet in dir with one person, and serves it.
func (d *demo) startServer(ctx context.Context, dir, base string, ln net.Listener, log io.Writer, user demoUser) (*server, error) {
	path, err := initialise(ctx, dir, base)
	if err != nil {
		return nil, err
	}
	s, err := openServer(ctx, serverConfig{Path: path, Listener: ln, Log: log})
	if err != nil {
		return nil, err
	}
	d.servers = append(d.servers, s)
	cfg := s.house.snapshot.Config
	if _, err := createUser(ctx, s.store, cfg, user.name, identity.NewSecret(demoPassword), user.set.Clone()); err != nil {
		return nil, err
	}
	d.run(func() error { return s.Run(ctx) })
	return s, nil
}

// connectPartner introduces samlet and the partner to each other: the partner
// is a connection of samlet, and samlet a service provider of the partner.
func (d *demo) connectPartner(ctx context.Context, partner *server) error {
	idpMetadata, err := partner.house.idp.Metadata()
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(d.dir, "metadata", "partner.xml"), idpMetadata.Body); err != nil {
		return err
	}
	err = d.addConnection(`- id: partner
  type: saml
  name: Partner Ltd
  email_domains: [partner.test]
  metadata: {file: metadata/partner.xml}
`)
	if err != nil {
		return err
	}
	if err := d.samlet.reload(ctx); err != nil {
		return err
	}
	doc, err := d.samlet.house.connectors["partner"].Metadata()
	if err != nil {
		return err
	}
	add := spAdd{ID: "samlet", Name: "samlet", Release: []string{"mail", "given_name", "family_name", "groups"}, released: true}
	if err := add.storeOwn(partner.path, doc); err != nil {
		return err
	}
	return partner.reload(ctx)
}

// startApp serves one application and makes it known to samlet.
func (d *demo) startApp(ctx context.Context, i int, name string, ln net.Listener) error {
	house := d.samlet.house
	entity, err := house.entity()
	if err != nil {
		return err
	}
	site, err := newWeb(d.Apps[i], name, "", d.samlet.shared)
	if err != nil {
		return err
	}
	a, err := newApp(appConfig{
		BaseURL: d.Apps[i], Path: "/app", Name: name, IDP: entity, Keys: house.snapshot.Keys,
		Catalogue: house.snapshot.Catalogue, Store: d.samlet.store, Web: site,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	a.Mount(mux)
	srv := &http.Server{Handler: site.Middleware(mux, a.CrossSitePosts()), ReadHeaderTimeout: headerTimeout}
	d.run(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	d.apps = append(d.apps, srv)
	d.connectors[i] = a.connector

	doc, err := a.connector.Metadata()
	if err != nil {
		return err
	}
	add := spAdd{ID: fmt.Sprintf("app%d", i+1), Name: name, Release: []string{"mail", "given_name", "family_name", "groups"}, released: true}
	if err := add.storeOwn(d.samlet.path, doc); err != nil {
		return err
	}
	return d.samlet.reload(ctx)
}

// storeOwn is store for metadata that we wrote ourselves.
func (a *spAdd) storeOwn(path string, doc []byte) error {
	entity, err := metadata.Parse(doc, metadata.ParseOptions{Now: time.Now, Want: metadata.RoleSP, AllowHTTP: true})
	if err != nil {
		return fmt.Errorf("reading our own metadata: %w", err)
	}
	made, err := a.plain(doc, entity)
	if err != nil {
		return err
	}
	return a.store(path, made)
}

// run runs one part of the world until Close.
func (d *demo) run(part func() error) {
	d.running.Go(func() {
		if err := part(); err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.err = errors.Join(d.err, err)
		}
	})
}

// Close ends the world and returns what went wrong while it ran.
func (d *demo) Close() error {
	d.stop()
	var errs []error
	for _, a := range d.apps {
		errs = append(errs, a.Close())
	}
	for _, end := range d.ends {
		errs = append(errs, end())
	}
	d.running.Wait()
	for _, s := range d.servers {
		errs = append(errs, s.Close(context.Background()))
	}
	return errors.Join(append(errs, d.err)...)
}

func (d *demo) print(w io.Writer) {
	fmt.Fprintf(w, `
samlet demo: everything below runs in this process and is gone when it ends.

  Application 1           %s/app
  Application 2           %s/app
  samlet                  %s
    IdP metadata          %s/saml/metadata
    Built-in test page    %s/test
    Its configuration     %s
  Partner's IdP           %s
  Partner's OpenID        %s
   Provider
  Partner's directory     %s

Sign in at application 1 as one of these, then open application 2: no prompt.
Sign out at one of them, and the other and samlet have signed you out, too.

  %-20s password %q   (kept by samlet)
  %-20s password %q   (samlet sends them to the partner, where the name is %q)
  %-20s password %q   (samlet sends them to the OpenID Provider)
  %-20s password %q   (samlet asks the directory)

Stop with Ctrl-C.
`, d.Apps[0], d.Apps[1], d.Samlet, d.Samlet, d.Samlet, d.samlet.path, d.Partner, d.OpenID, d.Directory,
		demoLocal.name, demoPassword, demoPartner.set.First(identity.Mail), demoPassword, demoPartner.name,
		demoOpen.set.First(identity.Mail), demoPassword, demoStaff.set.First(identity.Mail), demoPassword)
}
