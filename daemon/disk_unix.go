//go:build unix

package daemon

import (
	"net/url"
	"syscall"
)

// diskFree is the space left for us, in bytes.
func diskFree(dir string) (uint64, bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}

// serialPath is the device file of a serial address.
func serialPath(address string) (string, bool) {
	u, err := url.Parse(address)
	return u.Path, err == nil && u.Scheme == "serial"
}
