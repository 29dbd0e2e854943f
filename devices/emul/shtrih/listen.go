package shtrih

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// TCPPort is where a device listens (section 1.3).
const TCPPort = 7778

// ListenTCP serves hosts on a TCP address until the context ends. ready, if not
// nil, gets the address once the listener is open, so that port 0 can be used.
func (p *Printer) ListenTCP(ctx context.Context, addr string, ready func(net.Addr)) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen %s: %w", addr, err)
	}
	if ready != nil {
		ready(l.Addr())
	}
	return p.ServeTCP(ctx, l)
}

// ServeTCP serves hosts of a listener until the context ends. It closes the
// listener.
func (p *Printer) ServeTCP(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return errors.Join(fmt.Errorf("accept: %w", err), l.Close())
		}
		wg.Go(func() { _ = p.serve(ctx, mainPort, conn, lineTCP) }) // why one host left is no concern of the next
	}
}
