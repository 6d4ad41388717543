package peer

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Chromium is a window of the real browser, with its scripts, that blocks cookies
// of third parties. It is for what Browser only imitates; each step costs more.
type Chromium struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader

	URL     string   // what the window shows
	Text    string   // words of the page, a blank apart
	Refused []string // by a Content-Security-Policy, so far
}

type driveCommand struct{ Do, Target, Value string }

type drivePage struct {
	URL     string   `json:"url"`
	Text    string   `json:"text"`
	Refused []string `json:"refused"`
	Error   string   `json:"error"`
}

// NewChromium opens a window. It is closed with the test.
func NewChromium(t testing.TB) *Chromium {
	t.Helper()
	node := nodeModule(t, "playwright-core")
	chromium := Need(t, "chromium", "apt-get install chromium")
	dir := tempDir(t) // what Chromium still writes while it ends is no failure
	cmd := exec.CommandContext(t.Context(), node, testdata(t, "node", "drive.mjs"), chromium, filepath.Join(dir, "profile"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	// Chromium is a grandchild, so what ends too late is ended as a group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()                                      // The window is closed, or was ended with the test's context.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // Gone already is as good.
		log.Close()
		if t.Failed() {
			t.Logf("the end of the log of Chromium:\n%s", tail(log.Name()))
		}
	})
	return &Chromium{t: t, in: in, out: bufio.NewReader(out)}
}

// Open goes to an address and returns as soon as there is an answer.
func (c *Chromium) Open(url string) { c.t.Helper(); c.do("open", url, "") }

// Fill types into the field that a CSS selector names.
func (c *Chromium) Fill(selector, value string) { c.t.Helper(); c.do("fill", selector, value) }

// Click presses what a CSS selector names.
func (c *Chromium) Click(selector string) { c.t.Helper(); c.do("click", selector, "") }

// AwaitURL waits until the window shows an address that begins so.
func (c *Chromium) AwaitURL(prefix string) { c.t.Helper(); c.do("url", prefix, "") }

// AwaitText waits until the page says it.
func (c *Chromium) AwaitText(text string) { c.t.Helper(); c.do("text", text, "") }

func (c *Chromium) do(what, target, value string) {
	c.t.Helper()
	line, err := json.Marshal(driveCommand{what, target, value})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("telling Chromium to %s %s: %v", what, target, err)
	}
	said, err := c.out.ReadBytes('\n')
	if err != nil {
		c.t.Fatalf("Chromium ended while it was to %s %s: %v", what, target, err)
	}
	var page drivePage
	if err := json.Unmarshal(said, &page); err != nil {
		c.t.Fatalf("Chromium said %q: %v", said, err)
	}
	c.URL, c.Text, c.Refused = page.URL, page.Text, page.Refused
	if page.Error != "" {
		c.t.Fatalf("Chromium was to %s %s, and now shows %s: %s\n%s", what, target, c.URL, page.Error, c.Text)
	}
}
