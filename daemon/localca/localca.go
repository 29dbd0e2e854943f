// Package localca is the certificate authority of one shop: it signs the
// certificate of the embedded broker, and terminals trust it and nobody else.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kassad/daemon/secretfile"
)

// How long certificates are good. Phones and tablets refuse a server's that is
// good for more than 825 days.
const (
	caYears    = 10
	serverDays = 820
	// backdate lets a terminal in whose clock is behind.
	backdate = 24 * time.Hour
)

// RenewBefore is when doctor asks for a renewal.
const RenewBefore = 60 * 24 * time.Hour

const serialBits = 127

// Blocks of PEM.
const (
	blockCertificate = "CERTIFICATE"
	blockKey         = "PRIVATE KEY"
)

// Errors of an authority.
var (
	ErrNone   = errors.New("there is no certificate authority yet")
	ErrKeys   = errors.New("the authority's key does not belong to its certificate")
	ErrExpiry = errors.New("the authority's certificate is about to end")
)

// Authority is the folder of an authority and of what it has signed.
type Authority struct {
	Dir string
	Now func() time.Time // nil: the computer's clock
}

// Files of the folder. The server's certificate file has the authority's too,
// so that a terminal that knows its fingerprint alone can learn it.
func (a Authority) CACert() string     { return filepath.Join(a.Dir, "ca.crt") }
func (a Authority) caKey() string      { return filepath.Join(a.Dir, "ca.key") }
func (a Authority) ServerCert() string { return filepath.Join(a.Dir, "server.crt") }
func (a Authority) ServerKey() string  { return filepath.Join(a.Dir, "server.key") }

func (a Authority) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// Ensure makes the authority if there is none; name is what people see of it.
// An authority that is there is never replaced: every terminal trusts it.
func (a Authority) Ensure(name string) (made bool, err error) {
	_, certErr := os.Stat(a.CACert())
	_, keyErr := os.Stat(a.caKey())
	switch {
	case certErr == nil && keyErr == nil:
		_, _, err := a.load()
		return false, err
	case certErr == nil:
		return false, fmt.Errorf("%s is there and its key is not: %w", a.CACert(), keyErr)
	case keyErr == nil:
		return false, fmt.Errorf("%s is there and its certificate is not: %w", a.caKey(), certErr)
	case !errors.Is(certErr, fs.ErrNotExist):
		return false, certErr
	}
	if err := os.MkdirAll(a.Dir, 0o755); err != nil {
		return false, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return false, err
	}
	t := a.template(name)
	t.NotAfter = a.now().AddDate(caYears, 0, 0)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return false, err
	}
	if err := writeKey(a.caKey(), key); err != nil {
		return false, err
	}
	return true, secretfile.Replace(a.CACert(), pemOf(blockCertificate, der), 0o644)
}

func (a Authority) template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)) // crypto/rand does not fail
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), // never 0
		Subject:      pkix.Name{CommonName: name, Organization: []string{"kassad"}},
		NotBefore:    a.now().Add(-backdate),
	}
}

// Issue signs a certificate of the server under all its names, host names and
// addresses, with a new key. The files before it are replaced.
func (a Authority) Issue(names []string) error {
	if len(names) == 0 {
		return errors.New("a certificate needs a name")
	}
	ca, caKey, err := a.load()
	if err != nil {
		return err
	}
	t := a.template(names[0])
	t.NotAfter = a.now().AddDate(0, 0, serverDays)
	if t.NotAfter.After(ca.NotAfter) {
		t.NotAfter = ca.NotAfter
	}
	if t.NotAfter.Before(a.now().Add(RenewBefore)) {
		return fmt.Errorf("%w on %s", ErrExpiry, ca.NotAfter.Format(time.DateOnly))
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	if err := writeKey(a.ServerKey(), key); err != nil {
		return err
	}
	chain := append(pemOf(blockCertificate, der), pemOf(blockCertificate, ca.Raw)...)
	return secretfile.Replace(a.ServerCert(), chain, 0o644)
}

// load reads the authority and proves that its halves fit.
func (a Authority) load() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, err := ReadCertificate(a.CACert())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(a.caKey())
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, fmt.Errorf("%s holds no key", a.caKey())
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.caKey(), err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, fmt.Errorf("%s: %w", a.caKey(), ErrKeys)
	}
	return cert, key, nil
}

// ReadCertificate reads the first certificate of a file.
func ReadCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != blockCertificate {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

// Fingerprint is the SHA-256 of a certificate in hex.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Names are those that a certificate is good for.
func Names(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Issued tells whether a certificate is this authority's.
func (a Authority) Issued(c *x509.Certificate) bool {
	ca, err := ReadCertificate(a.CACert())
	return err == nil && c.CheckSignatureFrom(ca) == nil
}

// Missing are the names that a certificate is not good for.
func Missing(c *x509.Certificate, names []string) []string {
	has := Names(c)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(has, n) })
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return secretfile.Replace(path, pemOf(blockKey, der), secretfile.Mode)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
