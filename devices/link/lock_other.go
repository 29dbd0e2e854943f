//go:build !linux

package link

// lockPort does nothing: Windows opens ports with share mode 0.
func lockPort(string) (func(), error) { return nil, nil }
