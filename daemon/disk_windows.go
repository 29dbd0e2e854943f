package daemon

import "golang.org/x/sys/windows"

// diskFree is the space left for us, in bytes.
func diskFree(dir string) (uint64, bool) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(path, &free, nil, nil) != nil {
		return 0, false
	}
	return free, true
}

// serialPath is no file on Windows.
func serialPath(string) (string, bool) { return "", false }
