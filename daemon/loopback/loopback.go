// Package loopback is a door to a process for who may read one file of it: a
// loopback port, and a token in the file. It is what Windows has in place of a
// socket with a mode; sockets of Unix are there only since version 1803.
package loopback

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"kassad/daemon/secretfile"
)

// tokenBytes is the length of a token as text: 130 bits and more.
const tokenBytes = 26

// ErrToken says that somebody came without the token.
var ErrToken = errors.New("control: a connection without the token")

type listener struct {
	net.Listener
	path, token string
}

// Listen opens a port of its own and writes where, and a new token, to path.
func Listen(path string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	if err := secretfile.Replace(path, []byte(l.Addr().String()+" "+token+"\n"), secretfile.Mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{Listener: l, path: path, token: token}, nil
}

// Accept returns a connection that proves itself when it is first read from: a
// silent one keeps nobody else out.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, token: l.token}, nil
}

// Close forgets the file first: who finds it asks in vain no longer.
func (l *listener) Close() error {
	err := os.Remove(l.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.Listener.Close())
}

type conn struct {
	net.Conn
	token string
	once  sync.Once
	err   error
}

func (c *conn) Read(b []byte) (int, error) {
	c.once.Do(func() {
		got := make([]byte, tokenBytes)
		if _, c.err = io.ReadFull(c.Conn, got); c.err == nil && subtle.ConstantTimeCompare(got, []byte(c.token)) != 1 {
			c.err = ErrToken
		}
	})
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(b)
}

// Dial goes to the process that has written path.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, refused(err)
	}
	address, token, ok := strings.Cut(strings.TrimSpace(string(text)), " ")
	if host, _, err := net.SplitHostPort(address); !ok || err != nil || host != "127.0.0.1" || len(token) != tokenBytes {
		return nil, refused(fmt.Errorf("%s says nothing of a port", path))
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, token); err != nil {
		return nil, errors.Join(refused(err), c.Close())
	}
	return c, nil
}

// refused is the error of a dial that has reached nobody.
func refused(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
