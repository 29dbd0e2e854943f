package main

import (
	"strings"
	"testing"
)

func TestKernelFloor(t *testing.T) {
	t.Parallel()
	for release, old := range map[string]bool{
		"2.6.32-754.el6.x86_64": true, "3.1.10": true, "3.2.0-4-amd64": false, "3.10.0-1160.el7": false, "6.18.5+": false, "10.0": false, "": false, "odd": false,
	} {
		err := checkKernel(release)
		if (err != nil) != old || err != nil && !strings.Contains(err.Error(), "needs Linux 3.2 or newer; the kernel of this computer is "+release) {
			t.Errorf("%q: %v", release, err)
		}
	}
	if err := checkFloor(); err != nil {
		t.Error(err)
	}
}
