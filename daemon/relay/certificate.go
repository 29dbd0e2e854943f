package relay

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often the files are looked at. Certificates of today
// live for weeks, and whoever renews them does not restart us.
const certificateEvery = time.Minute

// certificate is a pair of files that somebody renews. Broken ones keep the
// pair from before.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamp  time.Time // the younger of the two files
	looked time.Time
}

func (c *certificate) read() error {
	stamp, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) modified() (time.Time, error) {
	cert, err := os.Stat(c.certFile)
	key, err2 := os.Stat(c.keyFile)
	if err := errors.Join(err, err2); err != nil {
		return time.Time{}, err
	}
	if key.ModTime().After(cert.ModTime()) {
		return key.ModTime(), nil
	}
	return cert.ModTime(), nil
}

// get serves tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.at(time.Now()), nil
}

func (c *certificate) at(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < certificateEvery {
		return c.pair
	}
	c.looked = now
	if stamp, err := c.modified(); err == nil && stamp.Equal(c.stamp) {
		return c.pair
	}
	if err := c.read(); err != nil {
		c.log.Error("certificate, the one read before stays", "err", err)
	} else {
		c.log.Info("certificate read again", "file", c.certFile)
	}
	return c.pair
}
