package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{ jsonFlag }

// Help ends the help of version.
func (versionCommand) Help() string {
	return `Examples:
  kassad version
  kassad version --json`
}

// build tells which binary this is.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Revision string `json:"revision,omitempty"` // of the sources; absent if built without their history
	Modified bool   `json:"modified,omitempty"` // the sources had changes beyond the revision
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	s := fmt.Sprintf("kassad %s (%s, %s/%s", b.Version, b.Go, b.OS, b.Arch)
	if b.Revision != "" {
		s += ", revision " + b.Revision
	}
	if b.Modified {
		s += ", modified"
	}
	return s + ")"
}

// Run prints the version.
func (c *versionCommand) Run(e *env) error {
	if c.JSON {
		return printJSON(e.stdout, thisBuild())
	}
	_, err := fmt.Fprintln(e.stdout, thisBuild())
	return err
}
