//go:build !windows

package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"kassad/owner"
)

const controlMode = 0o600

// socketPathMax is what every system takes as the path of a socket; 108 bytes
// with the closing zero on Linux, fewer elsewhere.
const socketPathMax = 100

// ControlPath is where the daemon of cfg listens: in its data directory, or,
// where that path is too long for a socket, under a name made of it in the
// directory for temporary files.
func ControlPath(cfg Config) string {
	path := filepath.Join(cfg.DataDir, controlName)
	if len(path) <= socketPathMax {
		return path
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(os.TempDir(), "kassad-"+hex.EncodeToString(sum[:8])+".sock")
}

func openControl(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("%s exists and is no socket; move it away", path)
	}
	os.Remove(path) // left by a kill: the store's lock says that we are alone
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, controlMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	owner.InheritPath(path)
	return l, nil
}

func dialControl(ctx context.Context, path string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}
