package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Look is one way to look at a page.
type Look struct {
	Width int
	Dark  bool
	NoJS  bool // a picture and its width only: axe is itself a script
}

// Looks are a desktop and a narrow telephone, in light and dark, and once each
// without JavaScript.
func Looks() []Look {
	return []Look{
		{Width: 1280}, {Width: 1280, Dark: true}, {Width: 320}, {Width: 320, Dark: true},
		{Width: 1280, NoJS: true}, {Width: 320, NoJS: true},
	}
}

// PageState is a page in a state: an address, and what a person does there
// before it is looked at.
type PageState struct {
	Name  string // of the screenshot's file
	URL   string
	Steps []Step
}

// Step fills a field in, presses something, or waits until something is there;
// all are CSS selectors (or "text=…").
type Step struct {
	Fill, Value string
	Click       string
	Wait        string
}

// Finding is a fault of a page: a rule of axe-core by its ID, or one of
// scrolls-sideways, script-error, content-security-policy.
type Finding struct {
	Page   string `json:"page"`
	Rule   string `json:"rule"`
	Impact string `json:"impact"`
	Detail string `json:"detail"`
}

type lookJob struct {
	Chromium string
	Dir      string
	Pages    []PageState
	Looks    []Look
}

// Axe looks at pages in Chromium, leaves NAME-WIDTH-(light|dark)[-nojs].png of
// each in dir, and returns what is wrong with them. A state that cannot be
// reached fails the test. Without looks it is Looks().
func Axe(t testing.TB, dir string, pages []PageState, looks ...Look) []Finding {
	t.Helper()
	node := nodeModule(t, "playwright-core")
	job := lookJob{Chromium: Need(t, "chromium", "apt-get install chromium"), Dir: dir, Pages: pages, Looks: looks}
	if len(looks) == 0 {
		job.Looks = Looks()
	}
	b, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(len(pages)*len(job.Looks))*10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, testdata(t, "node", "look.mjs"), file)
	cmd.Stdout, cmd.Stderr = &out, &log
	// Chromium is a grandchild, so what ends too late is ended as a group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("looking at pages in Chromium: %v\n%s", err, log.Bytes())
	}
	var said struct {
		Findings []Finding `json:"findings"`
		Failures []string  `json:"failures"`
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		t.Fatalf("looking at pages in Chromium: %v\n%s", err, out.Bytes())
	}
	for _, f := range said.Failures {
		t.Errorf("this page was not reached: %s", f)
	}
	return said.Findings
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s (%s): %s", f.Page, f.Rule, f.Impact, f.Detail)
}
