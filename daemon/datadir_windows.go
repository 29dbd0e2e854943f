package daemon

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// defaultDataDir asks Windows, not the environment: a service and a console
// must mean the same folder, and nobody is to turn it elsewhere.
func defaultDataDir() string {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "kassad")
}
