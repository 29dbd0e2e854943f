package spool

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// guarded runs fn on a file that may be torn. bbolt answers a page that makes
// no sense with an assertion, and a page that is not there with a fault of the
// mapping; both come out as ErrDamaged. Any other panic travels on.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if !isDamage(p) {
			panic(p)
		}
		err = damaged(p)
	}()
	return fn()
}

func damaged(p any) error { return fmt.Errorf("%w: %v", ErrDamaged, p) }

// isDamage tells a torn file from a bug of ours: it is a fault at an address of
// the mapping, or bbolt itself gave up. It is called by a deferred function
// while the panic's frames are still there.
func isDamage(p any) bool {
	if _, ok := p.(interface{ Addr() uintptr }); ok {
		return true
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	panicking := false
	for {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(frame.Function, "runtime."):
			return strings.HasPrefix(frame.Function, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}
