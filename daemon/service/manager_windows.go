package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	kardianos "github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// What the service manager does when the service ends by itself, however that
// comes: a broken configuration is tried again once a minute.
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: 2 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
	{Type: mgr.ServiceRestart, Delay: time.Minute},
}

const recoveryReset = uint32(time.Hour / time.Second) // seconds without a failure

// dataAccess: the system, as which the service runs, and administrators; nobody
// else, and nothing inherited. Any user may make folders in ProgramData, so the
// owner is set as well.
const dataAccess = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

func describe(s Settings) (*kardianos.Config, error) {
	return &kardianos.Config{
		Name: s.Name, DisplayName: "kassad (" + s.Name + ")", Description: "One sale, one fiscal document: fiscal printers for POS terminals over MQTT.",
		Executable: s.Executable, Arguments: arguments(s),
		Option: kardianos.KeyValue{kardianos.StartType: kardianos.ServiceStartAutomatic},
	}, nil
}

func arguments(s Settings) []string {
	return []string{"run", "--service", s.Name, "--config", s.Config}
}

// Install enters the service, or brings one that is there up to date, and
// configures it.
func (m *Manager) Install() (notes []Note, err error) {
	s, err := m.Status()
	if err != nil {
		return nil, err
	}
	if s.State == StateAbsent {
		err = m.bounded("install", m.system.Install)
	} else {
		err = m.update()
	}
	if err != nil {
		return nil, err
	}
	return m.Configure()
}

// update gives an installed service the command line of now.
func (m *Manager) update() error {
	return m.withService(func(s *mgr.Service) error {
		line := windows.EscapeArg(m.settings.Executable)
		for _, a := range arguments(m.settings) {
			line += " " + windows.EscapeArg(a)
		}
		path, err := windows.UTF16PtrFromString(line)
		if err != nil {
			return err
		}
		return windows.ChangeServiceConfig(s.Handle, windows.SERVICE_NO_CHANGE, mgr.StartAutomatic, windows.SERVICE_NO_CHANGE, path, nil, nil, nil, nil, nil, nil)
	})
}

// Configure sets what an installer of Windows cannot: recovery, also when the
// process ends with a status, delayed start, and who may read the data. notes
// are what this system does not have.
func (m *Manager) Configure() (notes []Note, err error) {
	err = m.withService(func(s *mgr.Service) error {
		if err := s.SetRecoveryActions(recovery, recoveryReset); err != nil {
			return fmt.Errorf("recovery: %w", err)
		}
		if err := s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
			notes = append(notes, note("запуск снова после выхода со статусом здесь не поддерживается (%v): вместо этого kassad обрывает свой процесс", "recovery after an exit with a status is not supported here (%v): kassad ends its process instead", err))
		}
		if err := setDelayedStart(s); err != nil {
			notes = append(notes, note("отложенный запуск здесь не поддерживается (%v): kassad запускается вместе с другими службами", "delayed start is not supported here (%v): kassad starts with the other services", err))
		}
		return nil
	})
	if err != nil {
		return notes, err
	}
	// An installer that enters the service itself does not know the event log.
	err = eventlog.InstallAsEventCreate(m.settings.Name, eventlog.Error|eventlog.Warning|eventlog.Info)
	if err != nil && !strings.Contains(err.Error(), "exists") {
		notes = append(notes, note("нет журнала событий (%v): предупреждения и ошибки только в файле", "no event log (%v): warnings and errors are in the log file only", err))
	}
	if err := protect(m.settings.DataDir); err != nil {
		return notes, rights(err)
	}
	return notes, nil
}

func setDelayedStart(s *mgr.Service) error {
	info := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 1}
	return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&info)))
}

// Protect lets only the system and administrators into a folder with secrets.
func Protect(dir string) error { return protect(dir) }

// protect makes the folder and lets only the system and administrators in.
func protect(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	sd, err := windows.SecurityDescriptorFromString(dataAccess)
	if err != nil {
		return fmt.Errorf("access of %s: %w", dir, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("access of %s: %w", dir, err)
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return fmt.Errorf("access of %s: %w", dir, err)
	}
	const what = windows.OWNER_SECURITY_INFORMATION | windows.DACL_SECURITY_INFORMATION | windows.PROTECTED_DACL_SECURITY_INFORMATION
	if err := windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT, what, owner, nil, dacl, nil); err != nil {
		return fmt.Errorf("access of %s: %w", dir, err)
	}
	return nil
}

// Admit has nothing to do: the service runs as the system, which reads all.
func (m *Manager) Admit() ([]Note, error) { return nil, nil }

// Config is the configuration that the installed service starts with; "" if it
// is not known.
func (m *Manager) Config() (config string) {
	_ = m.withService(func(s *mgr.Service) error { // who may not ask may not start it either
		c, err := s.Config()
		if err != nil {
			return err
		}
		args, err := windows.DecomposeCommandLine(c.BinaryPathName)
		if i := slices.Index(args, "--config"); err == nil && i >= 0 && i+1 < len(args) {
			config = args[i+1]
		}
		return err
	})
	return config
}

// withService opens the service for a change.
func (m *Manager) withService(f func(*mgr.Service) error) error {
	manager, err := mgr.Connect()
	if err != nil {
		return rights(err)
	}
	defer manager.Disconnect()
	s, err := manager.OpenService(m.settings.Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return fmt.Errorf("%s: %w", m.settings.Name, ErrNotInstalled)
	}
	if err != nil {
		return rights(err)
	}
	defer s.Close()
	if err := f(s); err != nil {
		return fmt.Errorf("configure %s: %w", m.settings.Name, rights(err))
	}
	return nil
}

// exitPatience is for a process whose service has stopped.
const exitPatience = 10 * time.Second

// processOf takes hold of the process of a service, and returns what waits for
// its end.
func processOf(name string) func() {
	var process windows.Handle
	m := &Manager{settings: Settings{Name: name}}
	err := m.withService(func(s *mgr.Service) error {
		state, err := s.Query()
		if err != nil || state.ProcessId == 0 {
			return err
		}
		process, err = windows.OpenProcess(windows.SYNCHRONIZE, false, state.ProcessId)
		return err
	})
	if err != nil || process == 0 {
		return func() {}
	}
	return func() {
		_, _ = windows.WaitForSingleObject(process, uint32(exitPatience.Milliseconds())) // no more can be done
		_ = windows.CloseHandle(process)
	}
}

func removable(string) error { return nil }

func failed(error) bool { return false }

// settle is longer than a process takes that cannot read its configuration or
// have its port: Windows calls it running as soon as it exists.
const settle = 3 * time.Second

// look tells how a stopped service has ended: Windows starts one again that has
// ended by itself, and calls it stopped until then. Anybody may ask.
func look(s *Status) {
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return
	}
	defer windows.CloseServiceHandle(manager)
	name, err := windows.UTF16PtrFromString(s.Name)
	if err != nil {
		return
	}
	service, err := windows.OpenService(manager, name, windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return
	}
	defer windows.CloseServiceHandle(service)
	var state windows.SERVICE_STATUS
	if windows.QueryServiceStatus(service, &state) != nil {
		return
	}
	ended := windows.Errno(state.Win32ExitCode)
	if s.State == StateStopped && ended != windows.ERROR_SUCCESS && ended != windows.ERROR_SERVICE_NEVER_STARTED {
		s.Detail = fmt.Sprintf("it has ended by itself (%d: %v); Windows starts it again", state.Win32ExitCode, ended)
	}
}

// rights tells a refusal for want of rights.
func rights(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrNoRights, err)
	}
	return err
}
