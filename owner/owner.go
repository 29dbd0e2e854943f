// Package owner keeps what a process of root makes in the folder of another
// user from staying root's: a service that runs as that user could not open it.
package owner

import (
	"io/fs"
	"os"
)

// Inherit gives a file that is open to the owner of its folder, if this process
// and the file are root's and the folder is not. A file system that has no
// owners, or a refusal, is no reason to stop: the next start of the service
// tells what it may not open.
func Inherit(f *os.File) { inherit(f) }

// InheritPath does the same for what cannot be held open: a folder, a socket.
func InheritPath(path string) { inheritPath(path) }

// Copy gives a file the owners of another one. Who may not change the user may
// still keep the group that reads it.
func Copy(path string, of fs.FileInfo) error { return copyOwners(path, of) }

// Guest tells whether this process is root's in the folder of another user, and
// the name of that user.
func Guest(dir string) (user string, guest bool) { return guestOf(dir) }

// Strange lists what in a folder does not belong to the folder's owner, and
// names that owner.
func Strange(dir string) (user string, names []string) { return strange(dir) }

// GiveBack gives what is root's in a folder, and the folder itself, to a user.
// It returns the names of what it has given.
func GiveBack(dir string, uid, gid int) (names []string, err error) { return giveBack(dir, uid, gid) }
