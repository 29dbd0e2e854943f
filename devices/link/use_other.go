//go:build !linux

package link

// holder sees nothing: Windows lets nobody else open a port, so that trying it
// harms nobody.
func holder(string) (string, bool) { return "", false }
