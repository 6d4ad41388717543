package peer

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const postgresHint = "apt-get install postgresql (or set SAMLET_TEST_POSTGRES to the URL of a server on which databases may be created)"

// Postgres returns the URL of a fresh, empty database that is dropped when the
// test ends. The server is the one that SAMLET_TEST_POSTGRES names, else one of
// this test binary's own: made at the first call, on a socket in a folder of its
// own, ended and removed with the test process however that ends. It does not
// sync to disk, so it survives a kill of its clients and not of the machine.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	psql := Need(t, "psql", postgresHint)
	server := os.Getenv("SAMLET_TEST_POSTGRES")
	if server == "" {
		bin := postgresBin(t)
		var err error
		if server, err = ownPostgres(psql, bin); err != nil {
			t.Fatalf("starting PostgreSQL: %v", err)
		}
	}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		t.Fatalf("SAMLET_TEST_POSTGRES has to be a URL like postgres://user@host/postgres: %v", err)
	}
	name := "samlet_" + strings.ToLower(rand.Text()[:16])
	query := func(sql string) error { return runSQL(psql, server, sql) }
	if err := query("CREATE DATABASE " + name); err != nil {
		t.Fatalf("making a database: %v", err)
	}
	t.Cleanup(func() {
		if err := query("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("dropping a database: %v", err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

func runSQL(psql, server, sql string) error {
	return run(nil, psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname="+server, "--command="+sql)
}

// postgresBin finds the server's programs; Debian keeps them out of PATH, one
// folder a version.
func postgresBin(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		Need(t, "initdb", postgresHint)
	}
	return filepath.Dir(slices.Max(found))
}

var postgresOnce struct {
	sync.Mutex
	server  string
	process *process
}

// ownPostgres starts this process's server once. It belongs to no test, because
// making a cluster takes longer than most tests that need one.
func ownPostgres(psql, bin string) (string, error) {
	once := &postgresOnce
	once.Lock()
	defer once.Unlock()
	if once.server != "" {
		return once.server, nil
	}
	dir, err := peerDir()
	if err != nil {
		return "", err
	}
	log := filepath.Join(dir, "log")
	script := `set -e
"$1/initdb" --pgdata="$2/data" --username=samlet --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions
exec "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c shared_buffers=32MB -c max_connections=300 -c max_wal_size=256MB -c autovacuum=off`
	p, err := spawn(command{
		name:   "PostgreSQL",
		args:   []string{"/bin/sh", "-c", script, "postgres", bin, dir},
		dir:    dir,
		log:    log,
		signal: "INT",
		remove: dir,
		drop:   true,
	})
	if err != nil {
		return "", err
	}
	server := "postgres://samlet@/postgres?host=" + url.QueryEscape(dir)
	err = p.ready(context.Background(), func(context.Context) error { return runSQL(psql, server, "SELECT 1") })
	if err != nil {
		said := tail(log)
		p.stop()
		return "", fmt.Errorf("%w\n%s", err, said)
	}
	once.server, once.process = server, p
	return server, nil
}
