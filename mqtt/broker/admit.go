package broker

import "net"

// admit gives a connection its place, unless the listener is closed or has no
// place for it. Whoever has not logged in is a stranger: strangers never keep
// out who may come in, and those of one address never those of another.
func (l *listener) admit(c *conn) bool {
	l.mu.Lock()
	leaves, ok := l.place(c)
	l.mu.Unlock()
	if leaves != nil {
		l.log.add(Denied{Address: leaves.address, What: "connection"})
		leaves.drop()
	}
	return ok
}

// place returns who has to leave for c. l.mu is held.
func (l *listener) place(c *conn) (leaves *conn, ok bool) {
	if l.isClosed() {
		return nil, false
	}
	here, strangers := l.of(c.address)
	var full, fromHere bool
	switch {
	case !ownAddress(c.address) && (here >= addressMax || strangers >= strangersAddressMax):
		full, fromHere = true, true // not the newest: it may be an honest one behind the same address
	case len(l.conns) >= connectionsMax || l.strangers() >= strangersMax:
		full = true
	}
	if full {
		leaves = l.lastInLine(func(o *conn) bool { return o.stranger() && (!fromHere || o.address == c.address) })
		if leaves == nil {
			return c, false
		}
		delete(l.conns, leaves)
	}
	l.conns[c] = struct{}{}
	l.work.Add(1)
	return leaves, true
}

// of counts the connections of an address, and the strangers among them.
func (l *listener) of(address string) (here, strangers int) {
	for c := range l.conns {
		if c.address == address {
			here++
			if c.stranger() {
				strangers++
			}
		}
	}
	return here, strangers
}

func (l *listener) strangers() (n int) {
	for c := range l.conns {
		if c.stranger() {
			n++
		}
	}
	return n
}

// lastInLine is the oldest of those who may leave, of the address that has most
// of them; nil if there is none.
func (l *listener) lastInLine(may func(*conn) bool) *conn {
	count := make(map[string]int)
	for c := range l.conns {
		if may(c) {
			count[c.address]++
		}
	}
	var last *conn
	for c := range l.conns {
		if !may(c) {
			continue
		}
		if last == nil || count[c.address] > count[last.address] || count[c.address] == count[last.address] && c.since.Before(last.since) {
			last = c
		}
	}
	return last
}

// stranger tells a connection that has not logged in.
func (c *conn) stranger() bool {
	select {
	case <-c.greeted:
		return false
	default:
		return true
	}
}

// begin counts the accepting goroutine, unless the listener is closed.
func (l *listener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return false
	}
	l.work.Add(1)
	return true
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// addressOf is where a connection comes from, without the port.
func addressOf(c net.Conn) string {
	if c == nil || c.RemoteAddr() == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}
