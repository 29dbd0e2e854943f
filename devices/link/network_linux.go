package link

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// isGadget tells whether a USB device made the interface by RNDIS.
func isGadget(name string) bool { return gadgetIn("/sys/class/net", name) }

func gadgetIn(class, name string) bool {
	target, err := os.Readlink(filepath.Join(class, name, "device", "driver"))
	return err == nil && filepath.Base(target) == "rndis_host"
}

// neighbours reads who has been heard on each interface.
func neighbours() map[string][]netip.Addr {
	b, _ := os.ReadFile("/proc/self/net/arp") // without self a hardened service does not see it; none: nobody is known
	return parseARP(string(b))
}

// parseARP reads lines of: address, hardware type, flags, hardware address,
// mask, interface. Flags 0x0 is a question without an answer.
func parseARP(text string) map[string][]netip.Addr {
	const columns = 6
	out := map[string][]netip.Addr{}
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		if len(f) != columns || f[2] == "0x0" {
			continue
		}
		if at, err := netip.ParseAddr(f[0]); err == nil && at.Is4() {
			out[f[5]] = append(out[f[5]], at)
		}
	}
	return out
}
