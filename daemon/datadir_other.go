//go:build !windows

package daemon

func defaultDataDir() string { return "/var/lib/kassad" }
