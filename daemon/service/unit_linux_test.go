package service

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kassad/packaging"
)

func allGroups(string) bool { return true }

// What the packages install and what `kassad service install` writes are one
// unit.
func TestUnitOfPackage(t *testing.T) {
	t.Parallel()
	got, err := Unit(packaging.SystemdUnit, UnitPaths{Executable: "/usr/bin/kassad", Config: "/etc/kassad/kassad.toml", DataDir: stateDir, Writable: []string{stateDir + "/traces"}}, allGroups)
	if err != nil || got != packaging.SystemdUnit {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestUnitPaths(t *testing.T) {
	t.Parallel()
	paths := UnitPaths{Executable: "/opt/my kassad/kassad", Config: "/etc/kassad/100% $HOME.toml", DataDir: "/srv/kassad", Writable: []string{"/srv/kassad", "/srv/tra\"ces"}}
	got, err := Unit(packaging.SystemdUnit, paths, func(g string) bool { return g == "uucp" || g == "lp" })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`ExecStart="/opt/my kassad/kassad" run --config "/etc/kassad/100%% $$HOME.toml"`,
		"StateDirectory=kassad\nReadWritePaths=/srv/kassad\nReadWritePaths=\"/srv/tra\\\"ces\"\nStateDirectoryMode",
		"SupplementaryGroups=lp uucp",
		"ExecStartPre=+-/bin/chown -R --from=root kassad:kassad /srv/kassad",
		"ConditionPathExists=/etc/kassad/100%% $HOME.toml",
	} {
		if !strings.Contains(got, want+"\n") && !strings.Contains(got, want+"=") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, bad := range []string{"kassad.toml", "/etc/a\nUser=root", "/etc/{{Name}}"} {
		paths.Config = bad
		if _, err := Unit(packaging.SystemdUnit, paths, allGroups); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Unit("[Service]\n", UnitPaths{Executable: "/a", Config: "/b", DataDir: "/c"}, allGroups); err == nil {
		t.Error("a unit without the lines that are replaced")
	}
}

// systemd itself understands the unit and finds it shut well enough.
func TestUnitByAnalyze(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: apt-get install systemd")
		}
		t.Skip("systemd-analyze is missing: apt-get install systemd")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, paths := range map[string]UnitPaths{
		"kassad": {Executable: exe, Config: "/etc/kassad/kassad.toml", DataDir: stateDir},
		"spaces": {Executable: exe, Config: "/etc/kas sad/a'b$c%d\"e\\f;#.toml", DataDir: "/srv/a b", Writable: []string{"/srv/100%"}},
	} {
		unit, err := Unit(packaging.SystemdUnit, paths, allGroups)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name+".service")
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("verify: %v\n%s", err, out)
		}
		if out, err := exec.Command(tool, "security", "--offline=true", "--threshold=25", file).CombinedOutput(); err != nil {
			t.Errorf("security: %v\n%s", err, out)
		}
	}
}
