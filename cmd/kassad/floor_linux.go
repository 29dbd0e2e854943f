package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The oldest kernel that Go's own library runs on: below it nothing is
// promised, and a shop must not find that out by a receipt.
const (
	kernelMajor = 3
	kernelMinor = 2
)

// checkFloor refuses a system that is too old.
func checkFloor() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil // nothing is known against it
	}
	return checkKernel(unix.ByteSliceToString(u.Release[:]))
}

func checkKernel(release string) error {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return nil
	}
	if major > kernelMajor || major == kernelMajor && minor >= kernelMinor {
		return nil
	}
	return hinted{
		err:  fmt.Errorf("kassad needs Linux %d.%d or newer; the kernel of this computer is %s", kernelMajor, kernelMinor, release),
		hint: "a newer system; or run kassad on another computer of the shop, with the printer over TCP",
	}
}
