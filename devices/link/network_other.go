//go:build !linux

package link

import "net/netip"

func isGadget(string) bool { return false }

func neighbours() map[string][]netip.Addr { return nil }
