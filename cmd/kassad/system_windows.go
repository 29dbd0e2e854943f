package main

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// systemVersion is that of Windows itself, whatever it tells old programs.
func systemVersion() string {
	v := windows.RtlGetVersion()
	return fmt.Sprintf("Windows %d.%d build %d %s", v.MajorVersion, v.MinorVersion, v.BuildNumber, windows.UTF16ToString(v.CsdVersion[:]))
}
