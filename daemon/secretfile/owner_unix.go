//go:build unix

package secretfile

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwners gives a file the owners of another one. Who may not change the
// user may still keep the group that reads it.
func keepOwners(path string, of fs.FileInfo) error {
	s, ok := of.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	uid := int(s.Uid)
	if os.Geteuid() != 0 {
		uid = -1
	}
	return os.Chown(path, uid, int(s.Gid))
}
