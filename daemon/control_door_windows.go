package daemon

import (
	"context"
	"net"
	"path/filepath"

	"kassad/daemon/loopback"
)

// ControlPath names the file that says where the daemon of cfg listens: in its
// data directory, which administrators alone may read.
func ControlPath(cfg Config) string { return filepath.Join(cfg.DataDir, controlName) }

func openControl(path string) (net.Listener, error) { return loopback.Listen(path) }

func dialControl(ctx context.Context, path string) (net.Conn, error) { return loopback.Dial(ctx, path) }
