//go:build packages

package windows_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wine is a Windows of the test's own.
type wine struct {
	t    *testing.T
	root string // C:
	env  []string
}

// newWine makes a Windows. All its services get a variable of the environment,
// as an administrator sets it: {"/v", name, "/d", value}.
func newWine(t *testing.T, environment ...string) *wine {
	t.Helper()
	need(t, map[string]string{"wine": "wine wine64", "wineserver": "wine wine64"})
	prefix := filepath.Join(scratch(t), "prefix")
	w := &wine{t: t, root: filepath.Join(prefix, "drive_c"), env: append(os.Environ(), "WINEPREFIX="+prefix, "WINEDEBUG=-all", "DISPLAY=", "LANG=C.UTF-8")}
	if err := os.Mkdir(prefix, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	// The making of a prefix leaves two managers of services, each with a list of
	// its own: it is ended. The next server is kept, so that a command need not
	// start a manager first.
	for _, step := range [][]string{{"wineboot", "-i"}, append([]string{"wine", "reg", "add", `HKLM\System\CurrentControlSet\Control\Session Manager\Environment`, "/f"}, environment...), {"wineserver", "-k"}, {"wineserver", "-w"}, {"wineserver", "-p"}} {
		if told, err := w.start(t.Context(), step[0], step[1:]...); err != nil {
			t.Fatalf("%v: %v %s", step, err, told)
		}
	}
	if b := filepath.Join(w.root, "windows", "system32", "bcryptprimitives.dll"); !exists(b) {
		write(t, b, processPrng())
	}
	return w
}

// start runs a program with its words in a file: a wineserver that begins
// meanwhile would keep a pipe open for ever.
func (w *wine) start(ctx context.Context, name string, args ...string) (string, error) {
	w.t.Helper()
	out, err := os.CreateTemp(filepath.Dir(filepath.Dir(w.root)), "out")
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, out, out
	err = cmd.Run()
	return strings.ReplaceAll(string(read(w.t, out.Name())), "\r\n", "\n"), err
}

func (w *wine) run(args ...string) (string, error) {
	w.t.Helper()
	return w.start(w.t.Context(), "wine", args...)
}

func (w *wine) must(args ...string) string {
	w.t.Helper()
	told, err := w.run(args...)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, told, w.log())
	}
	return told
}

const installed = `C:\Program Files\kassad\kassad.exe`

// kassad runs the installed program.
func (w *wine) kassad(args ...string) (string, error) {
	w.t.Helper()
	return w.run(append([]string{installed}, args...)...)
}

func (w *wine) mustKassad(args ...string) string {
	w.t.Helper()
	return w.must(append([]string{installed}, args...)...)
}

// msi runs Windows Installer without a window.
func (w *wine) msi(flag, path string, properties ...string) error {
	w.t.Helper()
	told, err := w.run(append([]string{"msiexec", flag, windowsPath(path), "/qn"}, properties...)...)
	if err != nil {
		w.t.Logf("msiexec %s: %v %s", flag, err, told)
	}
	return err
}

func windowsPath(path string) string { return `Z:` + strings.ReplaceAll(path, "/", `\`) }

// file is where a file of C: is.
func (w *wine) file(path ...string) string {
	return filepath.Join(append([]string{w.root}, path...)...)
}

// log is the newest of the daemon's.
func (w *wine) log() string {
	text, err := os.ReadFile(w.file("ProgramData", "kassad", "logs", "kassad.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// end ends this Windows and nothing else: its server knows its own processes.
func (w *wine) end() {
	for _, flag := range []string{"-k", "-w"} {
		if told, err := w.start(context.WithoutCancel(w.t.Context()), "wineserver", flag); err != nil && flag == "-w" {
			w.t.Errorf("wineserver %s: %v %s", flag, err, told)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// serviceIs waits for the service to be in a state.
func (w *wine) serviceIs(state string) {
	w.t.Helper()
	eventually(w.t, "the service is "+state, time.Minute, func() error {
		if told, _ := w.run("sc", "query", "kassad"); !strings.Contains(told, state) {
			return errors.New(told)
		}
		return nil
	})
}
