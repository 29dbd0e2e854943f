//go:build unix

package owner

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// host is the other user in whose folder something lies; nil if this process is
// not root's, or the folder is.
func host(dir string) *syscall.Stat_t {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 {
		return s
	}
	return nil
}

func inherit(f *os.File) {
	to := host(filepath.Dir(f.Name()))
	if to == nil {
		return
	}
	info, err := f.Stat()
	if err != nil || !rootsAlone(info) {
		return
	}
	// A link that the folder's owner has laid leads to what is not in the folder.
	if at, err := os.Lstat(f.Name()); err != nil || !os.SameFile(at, info) {
		return
	}
	_ = f.Chown(int(to.Uid), int(to.Gid)) // Inherit says why
}

func inheritPath(path string) {
	to := host(filepath.Dir(path))
	if to == nil {
		return
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return
	}
	defer dir.Close()
	name := filepath.Base(path)
	if info, err := dir.Lstat(name); err == nil && rootsAlone(info) {
		_ = dir.Lchown(name, int(to.Uid), int(to.Gid)) // Inherit says why
	}
}

// rootsAlone tells whether something is root's and has no second name, which
// could be that of a file of the system.
func rootsAlone(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid == 0 && info.Mode()&fs.ModeSymlink == 0 && (info.IsDir() || s.Nlink == 1)
}

func copyOwners(path string, of fs.FileInfo) error {
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

func guestOf(dir string) (string, bool) {
	if s := host(dir); s != nil {
		return nameOf(s.Uid), true
	}
	return "", false
}

// nameOf is the name of a user, or its number.
func nameOf(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

func strange(dir string) (string, []string) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", nil
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", nil
	}
	var names []string
	// What cannot be read is told by whoever needs it.
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil {
			if own, ok := info.Sys().(*syscall.Stat_t); ok && own.Uid != s.Uid {
				names = append(names, path)
			}
		}
		return nil
	})
	return nameOf(s.Uid), names
}

func giveBack(dir string, uid, gid int) (names []string, err error) {
	if uid == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(dir) // no link leads out of it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a daemon is at work
			return nil
		}
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil || !rootsAlone(info) {
			return nil
		}
		if err := root.Lchown(name, uid, gid); err != nil {
			return err
		}
		names = append(names, filepath.Join(dir, name))
		return nil
	})
	return names, err
}
