//go:build !linux && !windows

package link

func deviceNames() map[string]string { return nil }
