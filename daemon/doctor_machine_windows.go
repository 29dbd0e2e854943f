package daemon

import (
	"fmt"
	"strings"

	"golang.org/x/sys/windows/registry"

	"kassad/devices/link"
)

const (
	powerHint = "Control Panel, Power Options, advanced: USB selective suspend = disabled; Device Manager, the port, Power Management: no"
	clockHint = "as administrator: w32tm /config /syncfromflags:manual /manualpeerlist:ru.pool.ntp.org /update"
)

type windowsMachine struct{}

// ThisMachine is this computer.
func ThisMachine() Machine { return windowsMachine{} }

func (windowsMachine) Ports() ([]link.Port, error)                { return link.Ports() }
func (windowsMachine) Owner(port string) (string, bool)           { return link.InUse(port) }
func (windowsMachine) Access(string) (string, string, bool, bool) { return "", "", false, false }
func (windowsMachine) ModemManager(string) (bool, bool)           { return false, true }
func (windowsMachine) Antivirus() bool                            { return true }

// Where Windows keeps its power schemes, and in them the selective suspend of
// USB.
const (
	schemesKey = `SYSTEM\CurrentControlSet\Control\Power\User\PowerSchemes`
	suspendKey = `2a737441-1930-4402-8d77-b2bebba308a3\48e6b7a6-50f5-4782-a5d4-53bb8f07e226`
)

// SavesPower reads the scheme in use; what nobody has set is on.
func (windowsMachine) SavesPower(p link.Port) (setting string, saves, known bool) {
	if p.VID == "" {
		return "", false, false
	}
	scheme, err := readString(schemesKey, "ActivePowerScheme")
	if err != nil {
		return "", false, false
	}
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, schemesKey+`\`+scheme+`\`+suspendKey, registry.QUERY_VALUE)
	if err != nil {
		return "USB selective suspend is as Windows has it by default: on", true, true
	}
	defer key.Close()
	on, _, err := key.GetIntegerValue("ACSettingIndex")
	if err != nil {
		return "USB selective suspend is as Windows has it by default: on", true, true
	}
	return fmt.Sprintf("USB selective suspend of the power scheme is %d", on), on != 0, true
}

func readString(path, name string) (string, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return "", err
	}
	defer key.Close()
	text, _, err := key.GetStringValue(name)
	return text, err
}

// ScanExcluded reads the exclusions of Windows Defender, which only an
// administrator may; another antivirus is not seen.
func (windowsMachine) ScanExcluded(dir string) (excluded, known bool) {
	for _, path := range []string{`SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions\Paths`, `SOFTWARE\Microsoft\Windows Defender\Exclusions\Paths`} {
		key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
		if err != nil {
			continue
		}
		names, err := key.ReadValueNames(0)
		key.Close()
		if err != nil {
			continue
		}
		known = true
		if underAny(dir, names) {
			return true, true
		}
	}
	return false, known
}

// underAny tells whether dir is one of the folders or in one of them.
func underAny(dir string, folders []string) bool {
	dir = strings.ToLower(strings.TrimRight(dir, `\`)) + `\`
	for _, f := range folders {
		if f = strings.ToLower(strings.TrimRight(f, `\`)); f != "" && strings.HasPrefix(dir, f+`\`) {
			return true
		}
	}
	return false
}

// ClockSynced asks whether the time service is told to ask anybody.
func (windowsMachine) ClockSynced() (synced, known bool) {
	kind, err := readString(`SYSTEM\CurrentControlSet\Services\W32Time\Parameters`, "Type")
	return err == nil && !strings.EqualFold(kind, "NoSync"), err == nil
}
