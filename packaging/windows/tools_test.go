//go:build packages

// Package windows_test builds the packages for Windows and lives with them
// under Wine: make test-packages.
package windows_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips where a tool is missing, and fails in CI.
func need(t *testing.T, debian map[string]string) {
	t.Helper()
	var missing []string
	for tool, pkg := range debian {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return
	}
	why := "NOT TESTED, tools are missing. On Debian: apt-get install " + strings.Join(missing, " ")
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

var packers = map[string]string{"wixl": "wixl", "msidump": "msitools", "zip": "zip"}

// runTimeout bounds one tool on a busy machine.
const runTimeout = 4 * time.Minute

// tool runs a program and returns what it says.
func tool(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustTool(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// scratch is a folder that goes with the test.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kassad-windows-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// binaries builds kassad.exe of a version for an architecture; with the hook
// for Wine, which no release has.
func binaries(t *testing.T, dir, version, arch string) {
	t.Helper()
	mustTool(t, []string{"GOOS=windows", "GOARCH=" + arch, "CGO_ENABLED=0"}, "go", "build", "-tags", "kassad_wine", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+version, "-o", filepath.Join(dir, "windows-"+arch)+"/", "../../cmd/kassad")
}

// build packs binaries; it returns the folder of the packages.
func build(t *testing.T, binaries, version string, env ...string) (out, told string) {
	t.Helper()
	out = scratch(t)
	env = append(env, "BINARIES="+binaries, "VERSION="+version, "SOURCE_DATE_EPOCH=1790000000")
	return out, mustTool(t, env, "./build.sh", out)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another process does.
func eventually(t *testing.T, what string, patience time.Duration, ask func() error) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(fmt.Errorf("%s: %w", what, err))
		}
	}
}
