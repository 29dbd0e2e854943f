//go:build !windows

package main

import "context"

// runPlatform is what run has on Windows alone.
type runPlatform struct{}

// hosted runs f until a signal, whoever has started it.
func (runPlatform) hosted(c *runCommand, e *env, f func(context.Context, host) error) error {
	return c.console(e, f)
}
