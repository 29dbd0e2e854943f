package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	kardianos "github.com/kardianos/service"

	"kassad/owner"
	"kassad/packaging"
)

// userName is who the unit runs the daemon as.
const userName = "kassad"

// Where units are: ours by hand, and those of packages.
const unitDir = "/etc/systemd/system"

var packageUnitDirs = []string{"/usr/lib/systemd/system", "/lib/systemd/system"}

// describe refuses systems without systemd: a script of init would not start a
// daemon again that has ended.
func describe(s Settings) (*kardianos.Config, error) {
	if kardianos.Platform() != "linux-systemd" {
		return nil, fmt.Errorf("%w: systemd is not the init of this system", ErrNoManager)
	}
	config := &kardianos.Config{Name: s.Name, Executable: s.Executable}
	if s.Executable == "" {
		return config, nil
	}
	unit, err := Unit(packaging.SystemdUnit, UnitPaths{Executable: s.Executable, Config: s.Config, DataDir: s.DataDir, Writable: s.Writable}, hasGroup)
	if err != nil {
		return nil, err
	}
	config.Option = kardianos.KeyValue{"SystemdScript": unit}
	return config, nil
}

func hasGroup(name string) bool {
	_, err := user.LookupGroup(name)
	return err == nil
}

// hidden are the folders that the unit keeps from the service.
var hidden = []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"}

func checkSeen(what, path string) error {
	for _, dir := range hidden {
		if strings.HasPrefix(path, dir) {
			return fmt.Errorf("%s %s: %w: the unit hides %s from it", what, path, ErrHidden, strings.TrimSuffix(dir, "/"))
		}
	}
	return nil
}

// Install writes the unit, or takes that of a package, and lets it start with
// the computer. It makes the user that the unit names, and lets it read the
// configuration. notes are what was done beside.
func (m *Manager) Install() (notes []Note, err error) {
	s := m.settings
	packaged := removable(s.Name)
	if packaged != nil && !s.ofPackage() {
		return nil, packaged
	}
	if os.Geteuid() != 0 {
		return nil, ErrNoRights
	}
	notes, err = m.prepare()
	if err != nil {
		return notes, err
	}
	if packaged != nil {
		return append(notes, note("служба пакета остаётся как есть", "the unit is the package's")), m.bounded("install", func() error {
			out, err := exec.Command("systemctl", "enable", s.Name+".service").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %w: %s", ErrFailed, err, oneLine(string(out)))
			}
			return nil
		})
	}
	// What was installed is written anew; a service that runs goes on.
	if err := os.Remove(unitPath(s.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return notes, rights(err)
	}
	return notes, m.bounded("install", m.system.Install)
}

// ofPackage tells whether the unit of a package says the same as the settings.
func (s Settings) ofPackage() bool {
	return s.Executable == packageExe && s.Config == packageConfig && s.DataDir == stateDir &&
		!slices.ContainsFunc(s.Writable, func(dir string) bool { return dir != stateDir && !strings.HasPrefix(dir, stateDir+"/") })
}

// prepare makes the user of the service, and lets it read what it must.
func (m *Manager) prepare() (notes []Note, err error) {
	s := m.settings
	for what, path := range map[string]string{"binary": s.Executable, "configuration": s.Config, "data_dir": s.DataDir} {
		if err := checkSeen(what, path+"/"); err != nil {
			return nil, err
		}
	}
	if err := checkOwn(s.DataDir); err != nil {
		return nil, err
	}
	gid, uid, made, err := serviceUser()
	if err != nil {
		return nil, err
	}
	if made {
		notes = append(notes, note("создан пользователь %s", "made the user %s", userName))
	}
	admitted, err := s.admit(gid)
	if notes = append(notes, admitted...); err != nil {
		return notes, err
	}
	if s.DataDir != stateDir { // systemd makes its own
		return notes, giveDir(s.DataDir, uid, gid)
	}
	given, err := owner.GiveBack(s.DataDir, uid, gid)
	if len(given) > 0 {
		notes = append(notes, note("%s: файлы (%d) были у root, теперь у %s", "%s: %d files were root's and are %s's now", s.DataDir, len(given), userName))
	}
	return notes, err
}

// Admit lets the user of the service that is installed with this configuration
// read it and what it names. What root makes new, or puts back from a copy, is
// root's alone.
func (m *Manager) Admit() (notes []Note, err error) {
	u, err := user.Lookup(userName)
	if err != nil || os.Geteuid() != 0 || m.Config() != m.settings.Config {
		return nil, nil // Install makes the user, and whoever starts the service needs the rights
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return m.settings.admit(gid)
}

func (s Settings) admit(gid int) (notes []Note, err error) {
	opened, err := letRead(s.Config, gid)
	if err != nil {
		return notes, err
	}
	if opened {
		notes = append(notes, note("группа %s теперь может читать %s", "the group %s may read %s now", userName, s.Config))
	}
	for _, path := range s.Readable {
		if err := checkSeen("file", path); err != nil {
			return notes, err
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the daemon tells what it misses
		}
		if err == nil && othersRead(info.Mode(), int(info.Sys().(*syscall.Stat_t).Gid), gid) {
			notes = append(notes, note("%s читает чужая группа, он остаётся её: добавьте в неё пользователя %s", "%s is read by a group of others and stays theirs: add the user %s to that group", path, userName))
			continue
		}
		opened, err := letRead(path, gid)
		if err != nil {
			return notes, err
		}
		if opened {
			notes = append(notes, note("группа %s теперь может читать %s", "the group %s may read %s now", userName, path))
		}
	}
	return notes, nil
}

// Config is the configuration that the installed service starts with; "" if
// systemd does not tell.
func (m *Manager) Config() string {
	out, err := exec.Command("systemctl", "show", "--property=ExecStart", m.settings.Name+".service").Output()
	if err != nil {
		return ""
	}
	return configOf(string(out))
}

// configOf finds the configuration in what systemctl shows of a command:
// ExecStart={ path=… ; argv[]=… run --config FILE ; ignore_errors=no ; … }
func configOf(shown string) string {
	_, args, _ := strings.Cut(shown, "argv[]=")
	args, _, _ = strings.Cut(args, " ; ")
	_, config, _ := strings.Cut(args, " --config ")
	return strings.TrimSpace(config)
}

// Configure has nothing to add on Linux: the unit says it all.
func (m *Manager) Configure() (notes []Note, err error) {
	if _, err := m.installed(); err != nil {
		return nil, err
	}
	return []Note{note("всё сказано в описании службы; своё: systemctl edit %s", "the unit says it all; changes of yours: systemctl edit %s", m.settings.Name)}, nil
}

func unitPath(name string) string { return filepath.Join(unitDir, name+".service") }

// removable refuses to touch what a package manages.
func removable(name string) error {
	if _, err := os.Lstat(unitPath(name)); err == nil {
		return nil // by hand, over a packaged one
	}
	for _, dir := range packageUnitDirs {
		path := filepath.Join(dir, name+".service")
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%w: %s", ErrPackaged, path)
		}
	}
	return nil
}

// serviceUser finds the unit's user, or makes it.
func serviceUser() (gid, uid int, made bool, err error) {
	u, err := user.Lookup(userName)
	if err != nil {
		out, err := exec.Command("useradd", "--system", "--user-group", "--home-dir", stateDir, "--no-create-home", "--shell", "/usr/sbin/nologin", userName).CombinedOutput()
		if err != nil {
			return 0, 0, false, fmt.Errorf("user %s: %w: %w: %s", userName, ErrFailed, err, oneLine(string(out)))
		}
		made = true
		if u, err = user.Lookup(userName); err != nil {
			return 0, 0, true, fmt.Errorf("user %s: %w", userName, err)
		}
	}
	uid, err = strconv.Atoi(u.Uid)
	if err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	return gid, uid, made, err
}

// letRead lets a group read a file that nobody else may.
func letRead(path string, gid int) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("configuration: %w", err)
	}
	mode := info.Mode().Perm()
	if mode&0o004 != 0 {
		return false, nil
	}
	if own := info.Sys().(*syscall.Stat_t); int(own.Gid) != gid {
		if err := os.Chown(path, -1, gid); err != nil {
			return false, rights(err)
		}
		changed = true
	}
	if mode&0o040 == 0 {
		if err := os.Chmod(path, mode|0o040); err != nil {
			return changed, rights(err)
		}
		changed = true
	}
	return changed, nil
}

// othersRead tells whether a file is read by a group that is neither root's nor
// the service's: it must not be taken away from them.
func othersRead(mode fs.FileMode, owner, gid int) bool {
	return mode&0o044 == 0o040 && owner != 0 && owner != gid
}

// ours tells what the daemon leaves in its data: the journal, what belongs to it
// or was put aside of it, and the mark of its starts.
func ours(e fs.DirEntry) bool {
	return strings.HasPrefix(e.Name(), "kassad.db") || e.Name() == "epoch"
}

// checkOwn refuses a data_dir that others use, too: Install and each start make
// what is in it the service's.
func checkOwn(dir string) error {
	if parent := filepath.Dir(filepath.Clean(dir)); parent == "/" {
		return fmt.Errorf("data_dir %s: %w, and this is a folder of the system", dir, ErrForeign)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return rights(err)
	}
	if dir != stateDir && !slices.ContainsFunc(entries, ours) {
		return fmt.Errorf("data_dir %s: %w, and %s is there, but no journal", dir, ErrForeign, entries[0].Name())
	}
	return nil
}

// giveDir makes a folder the service's own, with what is in it.
func giveDir(dir string, uid, gid int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
}

// Protect has nothing to add to the mode of the files.
func Protect(string) error { return nil }

// failed tells kardianos' word for a unit in the state failed.
func failed(err error) bool { return strings.Contains(err.Error(), "failed state") }

// rights tells a refusal for want of rights.
func rights(err error) error {
	if errors.Is(err, fs.ErrPermission) || os.Geteuid() != 0 {
		return fmt.Errorf("%w: %w", ErrNoRights, err)
	}
	return err
}

// settle: systemd is told when the service serves.
const settle = 0

// look asks systemd for what it was told by the daemon, and what kardianos takes
// for "running": a service that ends at each start is between two of them most
// of the time.
func look(s *Status) {
	out, err := exec.Command("systemctl", "show", "--property=ActiveState,SubState,StatusText,Result,ExecMainStatus,NRestarts", s.Name+".service").Output()
	if err != nil {
		return
	}
	is := map[string]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		is[key] = oneLine(value)
	}
	s.Detail = is["StatusText"]
	if s.State == StateStopped && is["Result"] == "success" {
		s.Detail = "" // "stopping" is over
	}
	s.Restarts, _ = strconv.Atoi(is["NRestarts"]) // systemd before 235 does not count
	switch {
	case is["ActiveState"] == "activating" && strings.HasPrefix(is["SubState"], "auto-restart"):
		s.State = StateRestarting
	case is["ActiveState"] == "activating":
		s.State = StateStarting
	case is["ActiveState"] == "deactivating":
		s.State = StateStopping
	}
	if s.State == StateRestarting || s.State == StateFailed {
		s.Detail = fmt.Sprintf("it has ended (%s, status %s)%s", is["Result"], is["ExecMainStatus"], after("; its last words: ", s.Detail))
	}
}

// processOf has nothing to wait for: who stops a service here waits for its
// process.
func processOf(string) func() { return func() {} }
