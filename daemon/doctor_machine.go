package daemon

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"kassad/daemon/localca"
	"kassad/devices"
	"kassad/devices/link"
)

// Machine is what doctor asks of the computer beside its printers. What cannot
// be known is not known: no check fails of it.
type Machine interface {
	Ports() ([]link.Port, error)
	// Owner tells who has a port open.
	Owner(port string) (who string, used bool)
	// Access tells which group owns a port, and whether who runs kassad is in
	// it.
	Access(port string) (user, group string, may, known bool)
	// SavesPower tells whether the system may switch the USB device of a port
	// off, and by which setting.
	SavesPower(p link.Port) (setting string, saves, known bool)
	// ModemManager tells whether it runs and may take a port for a modem's.
	ModemManager(port string) (running, ignores bool)
	// ScanExcluded tells whether the antivirus of the system leaves dir alone.
	ScanExcluded(dir string) (excluded, known bool)
	// Antivirus tells whether the system is one that has an antivirus.
	Antivirus() bool
	// ClockSynced tells whether somebody sets the computer's clock.
	ClockSynced() (synced, known bool)
}

// DoctorMachine checks the computer itself: what switches a printer off, takes
// its port, or slows the journal down. It is for who may see the whole computer,
// which the service may not.
func DoctorMachine(m Machine, cfg Config) []Check {
	var checks []Check
	ports, err := m.Ports()
	if err != nil {
		checks = append(checks, Check{
			Name: "usb", Detail: "ports cannot be listed: " + err.Error(), Text: "Не удалось получить список портов.", Hint: "ask again with sudo",
		})
	}
	for _, p := range cfg.printerPorts(ports) {
		checks = append(checks, checkOwner(m, p)...)
		checks = append(checks, checkAccess(m, p)...)
		checks = append(checks, checkPower(m, p)...)
		checks = append(checks, checkModemManager(m, p)...)
	}
	checks = append(checks, checkAntivirus(m, cfg.DataDir)...)
	checks = append(checks, checkComputerClock(m)...)
	return append(checks, checkCertificate(cfg, time.Now(), localca.ThisHost().Reachable())...)
}

// printerPorts are the serial ports on which printers of c are or may be.
func (c Config) printerPorts(ports []link.Port) (out []link.Port) {
	excluded, err := c.Ports.Exclusions()
	if err != nil {
		return nil // config check tells
	}
	seen := map[string]bool{}
	for _, d := range c.Devices {
		a, err := link.Parse(d.Address)
		for _, p := range ports {
			var mine bool
			switch {
			case d.Address == devices.AddressAuto:
				_, barred := excluded.Port(p)
				mine = p.VID != "" && p.Foreign == "" && !barred
			case err != nil:
			case a.Scheme == "serial":
				mine = strings.EqualFold(p.Name, a.Name) || p.ByID != "" && p.ByID == a.Name
			case a.Scheme == "usb":
				mine = p.Serial == a.Name
			}
			if mine && !seen[p.Name] {
				seen[p.Name] = true
				out = append(out, p)
			}
		}
	}
	return out
}

func checkOwner(m Machine, p link.Port) []Check {
	who, used := m.Owner(p.Name)
	if !used {
		return nil // what the printer says is said already
	}
	c := Check{Name: "port " + p.Name, OK: strings.HasPrefix(who, "kassad"), Detail: "open in " + who, Text: "Порт открыт программой " + who + "."}
	if !c.OK {
		c.Text = fmt.Sprintf("Порт %s занят программой %s: kassad не сможет печатать. Закройте её; если это не ККТ, впишите порт в ports.exclude.", p.Name, who)
		c.Hint = "close that program, or set ports.exclude if no printer is there"
	}
	return []Check{c}
}

func checkAccess(m Machine, p link.Port) []Check {
	user, group, may, known := m.Access(p.Name)
	if !known {
		return nil
	}
	c := Check{Name: "group " + p.Name, OK: may, Detail: fmt.Sprintf("%s may use the port as a member of %s", user, group)}
	c.Text = fmt.Sprintf("Пользователь %s может открыть порт (группа %s).", user, group)
	if !may {
		c.Detail = fmt.Sprintf("%s is no member of %s, to whom the port belongs", user, group)
		c.Text = fmt.Sprintf("Пользователь %s не входит в группу %s, которой принадлежит порт. Добавьте его и войдите в систему заново.", user, group)
		c.Hint = fmt.Sprintf("sudo usermod -aG %s %s, then log in again; kassad service install does it for the service", group, user)
	}
	return []Check{c}
}

func checkPower(m Machine, p link.Port) []Check {
	setting, saves, known := m.SavesPower(p)
	if !known {
		return nil
	}
	c := Check{Name: "usb " + p.Name, OK: !saves, Detail: "power saving is off: " + setting, Text: "Энергосбережение USB для этого порта выключено."}
	if saves {
		c.Detail = "the system may switch the USB device off: " + setting
		c.Text = "Система может отключать это устройство USB ради экономии энергии: ККТ будет «пропадать». Выключите энергосбережение USB."
		c.Hint = powerHint
	}
	return []Check{c}
}

func checkModemManager(m Machine, p link.Port) []Check {
	running, ignores := m.ModemManager(p.Name)
	c := Check{Name: "modem-manager " + p.Name, OK: true, Detail: "does not run", Text: "ModemManager не запущен."}
	switch {
	case !running && p.VID == "":
		return nil
	case running && ignores:
		c.Detail, c.Text = "runs, and leaves this port alone", "ModemManager запущен и этот порт не трогает."
	case running:
		c.OK = false
		c.Detail = "runs, and takes a new port for a modem's: it sends AT commands to the printer"
		c.Text = "Запущен ModemManager: он принимает порт ККТ за модем и посылает в него свои команды. Отключите его или запретите ему этот порт."
		c.Hint = fmt.Sprintf(`sudo systemctl disable --now ModemManager; or a udev rule: ATTRS{idVendor}=="%s", ATTRS{idProduct}=="%s", ENV{ID_MM_DEVICE_IGNORE}="1"`, strings.ToLower(p.VID), strings.ToLower(p.PID))
	}
	return []Check{c}
}

func checkAntivirus(m Machine, dir string) []Check {
	if !m.Antivirus() {
		return nil
	}
	excluded, known := m.ScanExcluded(dir)
	c := Check{Name: "antivirus", OK: true, Detail: "Windows Defender leaves " + dir + " alone", Text: "Каталог данных исключён из проверки Windows Defender."}
	switch {
	case known && excluded:
	case known:
		c.OK = false
		c.Detail = "Windows Defender scans " + dir + ": every sale waits for it, and it may lock the journal"
		c.Text = "Каталог данных проверяет Windows Defender: продажи замедляются, журнал может быть заблокирован. Добавьте каталог в исключения."
		c.Hint = `as administrator: powershell Add-MpPreference -ExclusionPath "` + dir + `"`
	default:
		c.Detail = "whether an antivirus scans " + dir + " cannot be seen from here"
		c.Text = "Узнать исключения антивируса отсюда нельзя. Проверьте сами, что каталог данных и программа kassad в исключениях."
		c.Hint = "exclude " + dir + " and the kassad program in the antivirus that this computer has"
	}
	return []Check{c}
}

// checkComputerClock tells of a clock that nobody sets. It is no fault: a shop
// may have no network, and the printer's clock is compared anyway.
func checkComputerClock(m Machine) []Check {
	synced, known := m.ClockSynced()
	if !known {
		return nil
	}
	c := Check{Name: "clock", OK: true, Detail: "the computer's clock is set by a time server", Text: "Часы компьютера сверяются с сервером времени."}
	if !synced {
		c.Detail = "nobody sets the computer's clock by a time server"
		c.Text = "Часы компьютера никто не сверяет. Включите синхронизацию времени, если есть интернет."
		c.Hint = clockHint
	}
	return []Check{c}
}

// checkCertificate looks when the broker's certificate ends, and whether it names
// this computer as terminals are told to reach it: else they do not connect, and
// only they know why.
func checkCertificate(cfg Config, now time.Time, host string) []Check {
	if !cfg.Broker.Enabled || cfg.Broker.CertFile == "" {
		return nil
	}
	cert, err := localca.ReadCertificate(cfg.Broker.CertFile)
	if err != nil {
		return []Check{{Name: "certificate", Detail: err.Error(), Text: "Сертификат брокера не читается.", Hint: "kassad setup certs makes a new one; sudo may be needed to read it"}}
	}
	left := cert.NotAfter.Sub(now)
	until := cert.NotAfter.Format(time.DateOnly)
	c := Check{Name: "certificate", OK: left > localca.RenewBefore, Detail: "good until " + until, Text: "Сертификат брокера действует до " + until + "."}
	if !c.OK {
		c.Detail = "ends on " + until + ": terminals are refused from then on"
		c.Text = "Сертификат брокера действует до " + until + ", потом терминалы не смогут подключиться. Выпустите новый и перезапустите службу."
		c.Hint = "kassad setup certs, then kassad service restart"
		return []Check{c}
	}
	if a := (localca.Authority{Dir: filepath.Dir(cfg.Broker.CertFile)}); a.Issued(cert) && len(localca.Missing(cert, []string{host})) > 0 {
		c.OK, c.Detail = false, "does not name "+host+", where this computer is reached now; it names "+strings.Join(localca.Names(cert), ", ")
		c.Text = "Адрес этого компьютера теперь " + host + ", а в сертификате брокера его нет: терминалы, которые идут по этому адресу, не подключатся."
		c.Hint = "kassad setup certs, then kassad service restart; terminals that were given another address: kassad terminal add NAME --new-password"
	}
	return []Check{c}
}
