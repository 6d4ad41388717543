package peer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startLimit is how long a peer may take until it answers. It is generous
// because several test binaries share two cores; nothing waits for it in full.
const startLimit = 60 * time.Second

// minder runs a command and ends it when file descriptor 3 reaches its end.
// The other end of that pipe is held by the test process, so the command ends
// even when the test process is killed and no cleanup runs.
const minder = `
signal=$1; remove=$2; shift 2
"$@" </dev/null 3<&- & child=$!
( read -r _ <&3; kill -s "$signal" $child ) 2>/dev/null & watcher=$!
exec 3<&-
wait $child; code=$?
kill $watcher 2>/dev/null
[ -z "$remove" ] || rm -rf "$remove"
exit $code`

type command struct {
	name   string
	args   []string
	env    []string // added to the environment of the test
	dir    string
	log    string // a file that receives both outputs
	signal string // which ends it in good order; TERM when empty
	remove string // a folder to remove after the end; none when empty

	// drop runs it as an ordinary user where the tests run as root, which
	// Apache and PostgreSQL insist on. Such a program can read its own folder,
	// but perhaps not the checkout.
	drop bool
}

type process struct {
	hold *os.File
	pid  int
	done chan struct{}
	end  string // how it ended, once done is closed
}

func spawn(c command) (*process, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if c.signal == "" {
		c.signal = "TERM"
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", minder, c.name, c.signal, c.remove}, c.args...)...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.drop {
		if err := own(c.log); err != nil {
			return nil, err
		}
		cmd.SysProcAttr.Credential = unprivileged()
	}
	if err := cmd.Start(); err != nil {
		hold.Close()
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	p := &process{hold: hold, pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // The state below says the same.
		p.end = cmd.ProcessState.String()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end and after some seconds kills its group.
func (p *process) stop() {
	p.hold.Close()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // Gone already is as good.
		<-p.done
	}
}

// ready polls until check returns nil, the process ends, or the time is over.
func (p *process) ready(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("it ended by itself (%s); last check: %w", p.end, err)
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", startLimit, err)
		}
	}
}

// answers is a readiness check: the address answers HTTP with a status below 500.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 500 {
			return fmt.Errorf("%s answered %s", url, resp.Status)
		}
		return nil
	}
}

// serve starts a program that listens on a free port of host and waits until
// path answers there. A port that somebody took between our choice and the
// program's start shows as an early end, so that is tried again. end ends the
// program before its test does.
func serve(t testing.TB, host, path string, build func(addr string) command) (base string, end func()) {
	t.Helper()
	var err error
	for range 3 {
		addr := freeAddr(t, host)
		c := build(addr)
		var p *process
		if p, err = spawn(c); err != nil {
			t.Fatal(err)
		}
		if err = p.ready(t.Context(), answers("http://"+addr+path)); err == nil {
			stop := sync.OnceFunc(p.stop)
			t.Cleanup(func() {
				stop()
				showLog(t, c)
			})
			return "http://" + addr, stop
		}
		p.stop()
		t.Logf("%s: %v\n%s", c.name, err, tail(c.log))
	}
	t.Fatalf("starting a peer: %v", err)
	return "", nil
}

// Start starts a program that is not one of the peers, such as samlet itself, on
// a free port of a loopback host, waits until path answers there, and ends it
// with the test. args makes its command line for an address (it may be asked
// again for another one); env is added to the test's own environment.
func Start(t testing.TB, name, host, path string, args func(addr string) []string, env ...string) (base string) {
	t.Helper()
	dir := t.TempDir()
	base, _ = serve(t, host, path, func(addr string) command {
		return command{name: name, args: args(addr), env: env, dir: dir, log: filepath.Join(dir, "log")}
	})
	return base
}

func freeAddr(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// portOf is the port of an address that freeAddr returned.
func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func showLog(t testing.TB, c command) {
	if t.Failed() {
		t.Logf("the end of the log of %s:\n%s", c.name, tail(c.log))
	}
}

func tail(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-6000):]
}

// unprivileged is whom some peers run as where the tests run as root.
func unprivileged() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil
	}
	uid, errU := strconv.ParseUint(u.Uid, 10, 32)
	gid, errG := strconv.ParseUint(u.Gid, 10, 32)
	if errU != nil || errG != nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// peerDir makes a folder that peers can read and write. It is not t.TempDir
// because that one is closed to the user whom peers run as under root.
func peerDir() (string, error) {
	dir, err := os.MkdirTemp("", "samlet-peer-")
	if err != nil {
		return "", err
	}
	return dir, own(dir)
}

func own(paths ...string) error {
	c := unprivileged()
	if c == nil {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, int(c.Uid), int(c.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// tempDir is peerDir for the length of a test.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := peerDir()
	if err != nil {
		t.Fatalf("making a folder for a peer: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("removing a peer's folder: %v", err)
		}
	})
	return dir
}

// put writes one file of a peer's folder, readable by that peer alone.
func put(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := own(path); err != nil {
		t.Fatal(err)
	}
	return path
}
