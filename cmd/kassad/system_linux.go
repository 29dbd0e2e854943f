package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// systemVersion is the kernel and the distribution.
func systemVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "linux"
	}
	version := "Linux " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	text, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			version += ", " + strings.Trim(name, `"`)
		}
	}
	return version
}
