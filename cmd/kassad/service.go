package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"kassad/daemon"
	"kassad/daemon/secretfile"
	"kassad/daemon/service"
)

type serviceCommand struct {
	Install   serviceInstall   `cmd:"" help:"Let the system start kassad with the computer; what is installed is brought up to date."`
	Uninstall serviceUninstall `cmd:"" help:"Stop the service and take it out of the system; journal and configuration stay."`
	Start     serviceStart     `cmd:"" help:"Start the service."`
	Stop      serviceStop      `cmd:"" help:"Stop the service; the receipt in hand ends first."`
	Restart   serviceRestart   `cmd:"" help:"Stop the service and start it again."`
	Status    serviceStatus    `cmd:"" help:"Tell whether the service is installed and runs."`
	Configure serviceConfigure `cmd:"" help:"Set what an installer of Windows cannot: recovery, delayed start, who may read the data."`
}

// Help ends the help of service.
func (serviceCommand) Help() string {
	return `Every command may be repeated. All but status need the rights of an administrator.

Examples:
  kassad service install
  kassad service start
  kassad service status`
}

// serviceFlag is shared by all commands about the service.
type serviceFlag struct {
	Name string `help:"Name of the service; a second kassad on one computer needs one of its own." default:"kassad" placeholder:"NAME"`
}

var serviceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// manager is the system's, for the service of the flag.
func (f serviceFlag) manager(s service.Settings) (*service.Manager, error) {
	if !serviceName.MatchString(f.Name) {
		return nil, hinted{err: fmt.Errorf("name %q", f.Name), hint: "a name is 1 to 64 of a-z, 0-9 and -, and begins with a letter or a digit", status: exitUsage}
	}
	s.Name = f.Name
	m, err := service.NewManager(s)
	return m, f.hint(err)
}

// hint says what to try when the manager of services does not do it.
func (f serviceFlag) hint(err error) error {
	if err == nil {
		return nil
	}
	logs := f.logs()
	for _, h := range []struct {
		of   error
		hint string
	}{
		{service.ErrNoManager, "kassad run --config FILE under the supervisor of this system; it must start kassad again whenever it ends"},
		{service.ErrNoRights, withRights()},
		{service.ErrNotInstalled, "kassad service install"},
		{service.ErrPackaged, "what a package has installed, the package removes; changes of yours: systemctl edit " + f.Name + "; a data_dir elsewhere: ReadWritePaths=DIR under [Service] there, and chown -R kassad: DIR; a second kassad: --name NAME"},
		{service.ErrNotStarted, "kassad setup, if there is no configuration yet; " + logs},
		{service.ErrHidden, "install kassad into /usr/local/bin, its configuration into /etc/kassad, and leave data_dir in /var/lib"},
		{service.ErrForeign, "name a folder that is empty, or not there yet, such as /var/lib/kassad-2"},
		{service.ErrPath, "give absolute paths without line ends and braces"},
		{service.ErrSlow, "kassad service status in a moment; " + logs},
	} {
		if errors.Is(err, h.of) {
			return hinted{err: err, hint: h.hint}
		}
	}
	return hinted{err: err, hint: logs}
}

// logs is where a service tells why it has ended.
func (f serviceFlag) logs() string {
	if runtime.GOOS == "windows" {
		return `logs\kassad.log in ` + daemon.DefaultConfig().DataDir + " and the event viewer tell why"
	}
	return "journalctl -u " + f.Name + " -n 50 tells why"
}

// settings are what the service of a configuration starts with.
func settings(cfg daemon.Config, config string) (service.Settings, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err == nil {
		config, err = filepath.Abs(config)
	}
	s := service.Settings{Executable: exe, Config: config, DataDir: cfg.DataDir}
	for _, f := range cfg.Files() {
		if abs, err := filepath.Abs(f); err == nil {
			s.Readable = append(s.Readable, abs)
		}
	}
	for _, d := range cfg.Devices {
		if d.TraceFile != "" {
			s.Writable = append(s.Writable, filepath.Dir(d.TraceFile))
		}
	}
	return s, err
}

type serviceInstall struct {
	configFlag
	serviceFlag
	FromInstaller bool `help:"Write the sample where there is no configuration, and leave a bad one to the log of the service."`
}

// Help ends the help of service install.
func (serviceInstall) Help() string {
	return `The configuration must be good: the service starts with it. On Linux the unit runs kassad as the user
kassad, which is made, and may write to data_dir only; on Windows kassad runs as the system. A unit that a package
has installed is switched on as it is.

Examples:
  kassad service install
  kassad service install --config /etc/kassad/second.toml --name kassad-second
  kassad service install --from-installer`
}

// Run installs the service, or brings it up to date.
func (c *serviceInstall) Run(e *env) error {
	if c.FromInstaller {
		if err := c.writeSample(e); err != nil {
			return err
		}
	}
	cfg, err := c.load()
	if err != nil && c.FromInstaller {
		// An upgrade must not stand still for what a person can mend afterwards.
		cfg, err = daemon.DefaultConfig(), told(e, []service.Note{{English: fmt.Sprintf("the service will not start with this configuration: %v", err)}}, nil)
	}
	if err != nil {
		return err
	}
	said := fmt.Sprintf("%s is installed and starts with the computer. Now: kassad service start%s", c.Name, c.also())
	return c.apply(e, cfg, c.Config, (*service.Manager).Install, said)
}

// apply has the manager enter what the configuration means for the service.
func (f serviceFlag) apply(e *env, cfg daemon.Config, path string, do func(*service.Manager) ([]service.Note, error), said string) error {
	s, err := settings(cfg, path)
	if err != nil {
		return err
	}
	m, err := f.manager(s)
	if err != nil {
		return err
	}
	notes, err := do(m)
	if err := told(e, notes, f.hint(err)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, said)
	return err
}

// writeSample is for an installation that comes before the first configuration:
// the service looks for a printer, and serves this computer. The folder is for
// administrators before anything is in it.
func (c *serviceInstall) writeSample(e *env) error {
	if exists(c.Config) {
		return nil
	}
	if err := service.Protect(filepath.Dir(c.Config)); err != nil {
		return c.hint(err)
	}
	if err := secretfile.Create(c.Config, []byte(sampleConfig), secretfile.Mode); err != nil {
		return rightsHint(err)
	}
	return told(e, []service.Note{{English: "wrote the sample configuration " + c.Config}}, nil)
}

// also is the flag that a next command needs.
func (f serviceFlag) also() string {
	if f.Name == service.DefaultName {
		return ""
	}
	return " --name " + f.Name
}

// told prints what was done beside, whether or not the rest succeeded.
func told(e *env, notes []service.Note, err error) error {
	for _, n := range notes {
		if _, werr := fmt.Fprintln(e.stdout, n.English); werr != nil {
			return errors.Join(err, werr)
		}
	}
	return err
}

type serviceUninstall struct{ serviceFlag }

// Help ends the help of service uninstall.
func (serviceUninstall) Help() string {
	return `Examples:
  kassad service uninstall`
}

// Run takes the service out of the system.
func (c *serviceUninstall) Run(e *env) error {
	return c.act(e, (*service.Manager).Uninstall, "was not installed", "is uninstalled; journal and configuration are left as they are")
}

type serviceStart struct{ serviceFlag }

// Help ends the help of service start.
func (serviceStart) Help() string {
	return `The configuration must be good, and on Linux the user kassad is let read it and the files that it names. The
command ends when commands are taken, or tells why the service ends before; on Windows it looks for 3 seconds whether it ends.

Examples:
  kassad service start`
}

// Run starts the service.
func (c *serviceStart) Run(e *env) error {
	return c.raise(e, (*service.Manager).Start, "runs already")
}

type serviceStop struct{ serviceFlag }

// Help ends the help of service stop.
func (serviceStop) Help() string {
	return `The receipt in hand has 20 s to end (2 s on Windows); one that does not is in doubt, and the device is asked
for it after the next start. The service starts again with the computer.

Examples:
  kassad service stop`
}

// Run stops the service.
func (c *serviceStop) Run(e *env) error {
	return c.act(e, (*service.Manager).Stop, "does not run", "is stopped")
}

type serviceRestart struct{ serviceFlag }

// Help ends the help of service restart.
func (serviceRestart) Help() string {
	return `With a configuration that is not good a service that runs goes on as it is. Else as kassad service start.

Examples:
  kassad service restart`
}

// Run stops the service and starts it again.
func (c *serviceRestart) Run(e *env) error {
	return c.raise(e, func(m *service.Manager) (bool, error) { return false, m.Restart() }, "")
}

// raise starts a service that can serve: one that runs is not stopped for a
// configuration which it would end with.
func (f serviceFlag) raise(e *env, do func(*service.Manager) (already bool, err error), wasSo string) error {
	m, err := f.manager(service.Settings{})
	if err != nil {
		return err
	}
	if config := m.Config(); config != "" && exists(config) { // the manager tells of a service that is not there, and of a file
		s, err := f.sound(config)
		if err == nil {
			m, err = f.manager(s)
		}
		if err != nil {
			return err
		}
		notes, err := m.Admit()
		if err := told(e, notes, f.hint(err)); err != nil {
			return err
		}
	}
	return f.moved(e, m, do, wasSo, "runs")
}

// sound are the settings of a service whose configuration is good.
func (f serviceFlag) sound(config string) (service.Settings, error) {
	cfg, err := configFlag{Config: config}.load()
	if err == nil {
		err = checkFiles(cfg)
	}
	if err != nil {
		return service.Settings{}, fmt.Errorf("%s is left as it is: %w", f.Name, err)
	}
	return settings(cfg, config)
}

// act does one thing and says what is so now.
func (f serviceFlag) act(e *env, do func(*service.Manager) (already bool, err error), wasSo, isSo string) error {
	m, err := f.manager(service.Settings{})
	if err != nil {
		return err
	}
	return f.moved(e, m, do, wasSo, isSo)
}

func (f serviceFlag) moved(e *env, m *service.Manager, do func(*service.Manager) (already bool, err error), wasSo, isSo string) error {
	already, err := do(m)
	if err != nil {
		return f.hint(err)
	}
	if already {
		isSo = wasSo
	}
	_, err = fmt.Fprintf(e.stdout, "%s %s\n", f.Name, isSo)
	return err
}

type serviceStatus struct {
	serviceFlag
	jsonFlag
}

// Help ends the help of service status.
func (serviceStatus) Help() string {
	return `Exit status 0 only if the service runs and takes commands; one that ends and is started again and again is
"restarting". How printers and terminals are: kassad status.

Examples:
  kassad service status
  kassad service status --json`
}

// Run tells how the service is.
func (c *serviceStatus) Run(e *env) error {
	m, err := c.manager(service.Settings{})
	if err != nil {
		return err
	}
	s, err := m.Status()
	if err != nil {
		return c.hint(err)
	}
	if c.JSON {
		err = printJSON(e.stdout, s)
	} else {
		_, err = fmt.Fprintf(e.stdout, "%s is %s (%s)%s\n", s.Name, s.State, s.Manager, serviceDetail(s))
	}
	if err != nil || s.State == service.StateRunning {
		return err
	}
	return hinted{err: errors.New("the service does not serve: it is " + s.State), hint: c.next(s)}
}

// serviceDetail is what is known beside the state.
func serviceDetail(s service.Status) string {
	text := ""
	if s.Detail != "" {
		text = ": " + s.Detail
	}
	if s.Restarts > 0 {
		text += fmt.Sprintf("; started again %d times by itself", s.Restarts)
	}
	return text
}

// next is what to try with a service that does not serve.
func (f serviceFlag) next(s service.Status) string {
	switch {
	case s.State == service.StateAbsent:
		return "kassad service install"
	case s.State == service.StateStopped && s.Detail == "":
		return "kassad service start" + f.also()
	case s.State == service.StateStopping, s.State == service.StateStarting && s.Restarts == 0:
		return "kassad service status" + f.also() + " in a moment"
	}
	return f.logs()
}

type serviceConfigure struct {
	configFlag
	serviceFlag
}

// Help ends the help of service configure.
func (serviceConfigure) Help() string {
	return `Part of service install; for installers, which enter the service themselves. On Windows: starts again after
2, 10 and then every 60 seconds whenever it ends, with or without a crash; starts after the services that the
computer needs first; data_dir is for the system and administrators only. What the system does not have is told.

Examples:
  kassad service configure`
}

// Run configures an installed service. Without a configuration file the data is
// where it is by default: an installer comes before the first configuration.
func (c *serviceConfigure) Run(e *env) error {
	cfg, err := c.load()
	if errors.Is(err, fs.ErrNotExist) {
		cfg, err = daemon.DefaultConfig(), nil
	}
	if err != nil {
		return err
	}
	return c.apply(e, cfg, c.Config, (*service.Manager).Configure, c.Name+" is configured")
}
