// Package packaging holds what an installation puts beside the binary.
package packaging

import _ "embed"

// SystemdUnit is the unit of kassad as the packages install it.
//
//go:embed linux/kassad.service
var SystemdUnit string
