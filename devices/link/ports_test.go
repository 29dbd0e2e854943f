package link

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestKindOfDevice(t *testing.T) {
	t.Parallel()
	for device, want := range map[string]Kind{
		`\Device\RdpDrPort\;COM1:2\tsclient\COM1`: KindRemote, `\Device\BthModem0`: KindBluetooth, `\Device\USBSER000`: KindUSB,
		`\Device\VCP0`: KindAdapter, `\Device\Serial0`: KindLine, "": KindLine,
	} {
		if got := kindOfDevice(device, device == `\Device\VCP0`); got != want {
			t.Errorf("%s: %s, want %s", device, got, want)
		}
	}
}

// FuzzPrintable: what a USB device says of itself steers no screen, and is no
// longer than a descriptor.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"ШТРИХ-М", "a\x1b[2Jb", "\xff\xfe", "\u009b31m", "a\r\nb\tc\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		n := 0
		for _, r := range got {
			n++
			if unicode.IsControl(r) {
				t.Errorf("%q leaves %q", s, r)
			}
		}
		if !utf8.ValidString(got) || n > descriptorTextMax || printable(got) != got {
			t.Errorf("%q → %q", s, got)
		}
	})
}
