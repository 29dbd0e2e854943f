package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kassad/mqtt"
)

// What a stranger does a hundred thousand times under as many names is some
// lines, none of them long, and a bounded memory; the rest is counted.
func TestDenialsAreBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	told := 0
	d := newDenials(slog.New(slog.NewTextHandler(&log, nil)), func(Denied) { told++ })
	begun := time.Now()
	for i := range 100_000 {
		d.add(Denied{User: fmt.Sprintf("%d%s", i, strings.Repeat("x", 1000)), Client: strings.Repeat("c", 1000), What: "connect", Topic: strings.Repeat("t", 1000)})
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if most := linesBurst + linesPerSecond*int(1+time.Since(begun).Seconds()); len(lines) > most || len(lines) < linesBurst {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 600 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	if len(d.keys) > denialKeysMax+1 || told != 100_000 {
		t.Errorf("%d keys, %d told", len(d.keys), told)
	}
}

// The line that is written says how many it stands for.
func TestSeldomCounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSeldom(now)
	if times, ok := s.allow("till2", now); !ok || times != 1 {
		t.Errorf("the first: %d %v", times, ok)
	}
	for range 41 {
		if _, ok := s.allow("till2", now.Add(denialEvery/2)); ok {
			t.Error("a second line within the time")
		}
	}
	if times, ok := s.allow("till3", now); !ok || times != 1 {
		t.Errorf("another: %d %v", times, ok)
	}
	if times, ok := s.allow("till2", now.Add(denialEvery)); !ok || times != 42 {
		t.Errorf("after the time: %d %v", times, ok)
	}
}

func TestGuesses(t *testing.T) {
	t.Parallel()
	g, now := newGuesses(), time.Now()
	for i := range guessBurst {
		if !g.may("10.0.0.7", now) {
			t.Fatalf("guess %d is not computed", i)
		}
		g.failed("10.0.0.7", now)
	}
	if g.may("10.0.0.7", now) || !g.may("10.0.0.8", now) {
		t.Error("too many of one address, or too few of another")
	}
	if !g.may("10.0.0.7", now.Add(2*time.Second)) {
		t.Error("never again")
	}
	for range 2 * guessBurst {
		g.failed("127.0.0.1", now)
	}
	if !g.may("127.0.0.1", now) {
		t.Error("this computer is locked out")
	}
	for i := range 10 * guessersMax {
		g.failed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if len(g.wrong) > guessersMax {
		t.Errorf("%d addresses", len(g.wrong))
	}
}

// crowd is a listener with connections of addresses, made a second apart; those
// of the first are older. known are logged in.
func crowd(address string, strangers, known int, l *listener) {
	for i := range strangers + known {
		c := newConn(nopConn{address: address})
		c.since = time.Unix(int64(i), 0)
		if i >= strangers {
			close(c.greeted)
		}
		l.conns[c] = struct{}{}
	}
}

type nopConn struct {
	net.Conn
	address string
}

func (n nopConn) Close() error         { return nil }
func (n nopConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(n.address), Port: 1} }

// Who gets a place, and who has to leave for it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fill   func(*listener)
		from   string
		ok     bool
		leaves string
	}{
		{"an empty shop", func(*listener) {}, "10.0.0.1", true, ""},
		{"silent ones of the same address", func(l *listener) { crowd("10.0.0.1", strangersAddressMax, 0, l) }, "10.0.0.1", true, "10.0.0.1"},
		{"silent ones of the same address, and more of another", func(l *listener) {
			crowd("10.0.0.1", strangersAddressMax, 0, l)
			crowd("127.0.0.1", strangersAddressMax+1, 0, l)
		}, "10.0.0.1", true, "10.0.0.1"},
		{"many of the same, one of them silent", func(l *listener) { crowd("10.0.0.1", 1, addressMax-1, l) }, "10.0.0.1", true, "10.0.0.1"},
		{"silent ones of another", func(l *listener) { crowd("10.0.0.2", strangersAddressMax, 0, l) }, "10.0.0.1", true, ""},
		{"many of the same", func(l *listener) { crowd("10.0.0.1", 0, addressMax, l) }, "10.0.0.1", false, "10.0.0.1"},
		{"many of this computer", func(l *listener) { crowd("127.0.0.1", 0, addressMax, l) }, "127.0.0.1", true, ""},
		{"as many silent as may be", func(l *listener) {
			for i := range strangersMax / 4 {
				crowd(fmt.Sprintf("10.0.1.%d", i), 3, 0, l)
			}
			crowd("10.0.0.2", 5, 0, l)
			crowd("10.0.0.3", strangersMax/4-5, 0, l)
		}, "10.0.0.1", true, "10.0.0.3"},
		{"full, with silent ones", func(l *listener) { crowd("127.0.0.1", 0, connectionsMax-1, l); crowd("10.0.0.3", 1, 0, l) }, "10.0.0.1", true, "10.0.0.3"},
		{"full of those who may be here", func(l *listener) { crowd("127.0.0.1", 0, connectionsMax, l) }, "10.0.0.1", false, "10.0.0.1"},
	} {
		l := &listener{closed: make(chan struct{}), conns: map[*conn]struct{}{}}
		test.fill(l)
		before := len(l.conns)
		leaves, ok := l.place(newConn(nopConn{address: test.from}))
		got := ""
		if leaves != nil {
			got = leaves.address
		}
		if ok != test.ok || got != test.leaves {
			t.Errorf("%s: %v, %q leaves", test.name, ok, got)
		}
		if ok && leaves != nil && (len(l.conns) != before || leaves.since != time.Unix(0, 0)) {
			t.Errorf("%s: %d of %d, not the oldest %v", test.name, len(l.conns), before, leaves.since)
		}
	}
}

// Who was let in stays so when the file is read again: a terminal that was added
// meanwhile must not shut the others out while somebody guesses from their address.
func TestProofsOutliveAnotherName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users")
	line := func(name, password string) string {
		hash, err := HashPassword(mqtt.Secret(password))
		if err != nil {
			t.Fatal(err)
		}
		return name + ":" + hash + "\n"
	}
	one, two := line("till1", "right"), line("till2", "other")
	if err := os.WriteFile(path, []byte(one+two), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := loadUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const address = "10.0.0.7"
	if !u.verify("till1", []byte("right"), address) || !u.verify("till2", []byte("other"), address) {
		t.Fatal("not let in")
	}
	for range 2 * guessBurst {
		u.wrong.failed(address, time.Now())
	}
	if err := os.WriteFile(path, []byte(one+line("till2", "changed since")+line("till3", "third")), 0o600); err != nil {
		t.Fatal(err)
	}
	if !u.verify("till1", []byte("right"), address) {
		t.Error("till1 is out, although its line is that of before")
	}
	if u.verify("till2", []byte("other"), address) {
		t.Error("till2 is in with the password of before")
	}
}
