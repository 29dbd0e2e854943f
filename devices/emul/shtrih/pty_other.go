//go:build !linux

package shtrih

import (
	"context"
	"errors"
)

// ListenPTY needs Linux.
func (p *Printer) ListenPTY(context.Context, func(path string)) error {
	return errors.New("pseudo terminals are emulated on linux only")
}
