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
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as samlet.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"samlet": main})
}

// TestScripts tells the product's story in testdata/script/*.txtar: the real
// binary, as an operator uses it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			root, err := filepath.Abs("../..")
			env.Setenv("ROOT", root)
			for _, key := range []string{"HOME", "GOCACHE", "GOPATH", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTMPDIR"} {
				if v, ok := os.LookupEnv(key); ok {
					env.Setenv(key, v)
				}
			}
			if cache, cacheErr := os.UserCacheDir(); cacheErr == nil && env.Getenv("GOCACHE") == "" {
				env.Setenv("GOCACHE", filepath.Join(cache, "go-build"))
			}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": scriptFreePort,
			"await":    scriptAwait,
			"filled":   scriptFilled,
			"get":      scriptGet,
			"exit":     scriptExit,
			"readme":   scriptREADME,
		},
	})
}

// scriptFreePort sets a variable to a port that is free on 127.0.0.1: freeport VAR
func scriptFreePort(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Check(ln.Close())
	ts.Setenv(args[0], port)
}

// scriptAwait polls until a URL answers 200 with a body that matches, or, with
// "!", until it no longer does: [!] await URL PATTERN
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, body, err := fetchText(ctx, args[0])
		if met := err == nil && status == http.StatusOK && pattern.MatchString(body); met != neg {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: want %q (negated: %t), got status %d, error %v, body\n%s", args[0], args[1], neg, status, err, body)
		case <-tick.C:
		}
	}
}

// scriptFilled polls until a file matches, and sets variables to the groups of
// the pattern: filled FILE PATTERN VAR...
func scriptFilled(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if groups := pattern.FindSubmatch(text); groups != nil {
			for i, name := range args[2:] {
				ts.Setenv(name, string(groups[i+1]))
			}
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: want %q, got error %v and\n%s", args[0], args[1], err, text)
		case <-tick.C:
		}
	}
}

// scriptGet fetches a URL and matches status and body: get URL STATUS [PATTERN]
func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, body, err := fetchText(ctx, args[0])
	ts.Check(err)
	if fmt.Sprint(status) != args[1] {
		ts.Fatalf("GET %s: got status %d, want %s\n%s", args[0], status, args[1], body)
	}
	if len(args) > 2 && !regexp.MustCompile(args[2]).MatchString(body) {
		ts.Fatalf("GET %s: want %q in\n%s", args[0], args[2], body)
	}
}

func fetchText(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), errors.Join(err, resp.Body.Close())
}

// scriptExit runs samlet and demands an exit code: exit CODE ARGS...
func scriptExit(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("samlet", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("samlet %s: exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// scriptREADME demands that a command stands in README.md, as a line of a
// console block: readme COMMAND...
func scriptREADME(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(ts.Getenv("ROOT") + "/README.md")
	for line := range strings.Lines(text) {
		line, isCommand := strings.CutPrefix(line, "$ ")
		line, _, _ = strings.Cut(line, "  #")
		if isCommand && strings.TrimSpace(line) == strings.Join(args, " ") {
			return
		}
	}
	ts.Fatalf("README.md does not say: $ %s", strings.Join(args, " "))
}
