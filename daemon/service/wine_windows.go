//go:build kassad_wine

package service

import (
	"os"
	"slices"
	_ "unsafe" // for go:linkname

	_ "github.com/kardianos/service" // whose variable is linked to
)

// Wine runs services in session 1, where x/sys takes them for programs of a
// console. Only for tests under Wine: a service is known by its command line.
//
//go:linkname kInteractive github.com/kardianos/service.interactive
var kInteractive bool

func init() { kInteractive = !slices.Contains(os.Args, "--service") }
