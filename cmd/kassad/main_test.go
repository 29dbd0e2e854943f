package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// How often, and how long, a script looks for what it waits for.
const (
	awaitTick    = 5 * time.Millisecond
	awaitTimeout = 30 * time.Second
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kassad": main})
}

// TestScripts runs the command line as people do. Each example of a help text
// is in one of the scripts (TestExamples).
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true, RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "setenv": setenv, "expand": expand, "status": status, "field": field, "hides": hides,
		},
	})
}

// await waits until a file appears (or, negated, vanishes): a background
// command says by it that it is ready.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: await file")
	}
	if !appears(ts.MkAbs(args[0]), neg) {
		ts.Fatalf("%s: nothing after %s", args[0], awaitTimeout)
	}
}

// appears waits until a file is there, or is gone.
func appears(path string, gone bool) bool {
	tick := time.NewTicker(awaitTick)
	defer tick.Stop()
	deadline := time.After(awaitTimeout)
	for {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == gone {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
}

// setenv sets a variable to the content of a file.
func setenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv NAME file")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// expand replaces the variables in a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand file")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// status runs a command that must end with this exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: status N command...")
	}
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
