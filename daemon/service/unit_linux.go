package service

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// UnitPaths are what `kassad service install` fills into the unit.
type UnitPaths struct {
	Executable string
	Config     string
	DataDir    string
	Writable   []string // more folders that the service writes to
}

// Lines of the unit that name paths of a packaged kassad.
const (
	unitExec   = "ExecStart=" + packageExe + " run --config " + packageConfig
	unitIf     = "ConditionPathExists=" + packageConfig
	unitOwn    = "ExecStartPre=+-/bin/chown -R --from=root kassad:kassad " + stateDir
	unitState  = "StateDirectory=kassad"
	packageExe = "/usr/bin/kassad"
	// Where a packaged kassad has its configuration and its data.
	packageConfig = "/etc/kassad/kassad.toml"
	stateDir      = "/var/lib/kassad"
)

// Unit is the packaged unit with other paths, and groups that exist: systemd
// does not start a service whose group it does not know.
func Unit(unit string, p UnitPaths, hasGroup func(string) bool) (string, error) {
	for _, path := range append([]string{p.Executable, p.Config, p.DataDir}, p.Writable...) {
		if !filepath.IsAbs(path) || strings.ContainsAny(path, "\n\r{}") {
			return "", fmt.Errorf("%w: %q cannot stand in a unit", ErrPath, path)
		}
	}
	for _, line := range []string{unitExec, unitIf, unitOwn, unitState} {
		if !strings.Contains(unit, line+"\n") {
			return "", fmt.Errorf("the unit has no line %q", line)
		}
	}
	exec := "ExecStart=" + quoted(p.Executable, false) + " run --config " + quoted(p.Config, true)
	unit = strings.Replace(unit, unitExec+"\n", exec+"\n", 1)
	unit = strings.Replace(unit, unitIf+"\n", "ConditionPathExists="+strings.ReplaceAll(p.Config, "%", "%%")+"\n", 1)
	own := strings.TrimSuffix(unitOwn, stateDir) + quoted(p.DataDir, true)
	unit = strings.Replace(unit, unitOwn+"\n", own+"\n", 1)
	writable := slices.Clone(p.Writable)
	if p.DataDir != stateDir {
		writable = append(writable, p.DataDir)
	}
	slices.Sort(writable)
	more := ""
	for _, dir := range slices.Compact(writable) {
		if dir != stateDir && !strings.HasPrefix(dir, stateDir+"/") {
			more += "ReadWritePaths=" + quoted(dir, false) + "\n"
		}
	}
	unit = strings.Replace(unit, unitState+"\n", unitState+"\n"+more, 1)
	var lines []string
	for line := range strings.Lines(unit) {
		if groups, ok := strings.CutPrefix(strings.TrimSpace(line), "SupplementaryGroups="); ok {
			known := slices.DeleteFunc(strings.Fields(groups), func(g string) bool { return !hasGroup(g) })
			if hasGroup("uucp") && !hasGroup("dialout") { // Arch and its kin
				known = append(known, "uucp")
			}
			line = "SupplementaryGroups=" + strings.Join(known, " ") + "\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ""), nil
}

// quoted writes a path as a unit file wants it; an argument of a command line
// has its $ doubled as well.
func quoted(path string, argument bool) string {
	r := []string{`\`, `\\`, `"`, `\"`, "%", "%%"}
	if argument {
		r = append(r, "$", "$$")
	}
	path = strings.NewReplacer(r...).Replace(path)
	if strings.ContainsAny(path, " \t'\"\\;#") {
		return `"` + path + `"`
	}
	return path
}
