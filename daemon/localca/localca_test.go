package localca

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

func authority(t *testing.T) Authority {
	t.Helper()
	a := Authority{Dir: t.TempDir() + "/tls"}
	made, err := a.Ensure("shop")
	if err != nil || !made {
		t.Fatal(made, err)
	}
	return a
}

func pool(t *testing.T, a Authority) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(a.CACert())
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatal("ca.crt holds no certificate")
	}
	return p
}

// A terminal that has ca.crt trusts the server under each of its names, and
// under no other; the authority signs nothing but certificates.
func TestIssue(t *testing.T) {
	t.Parallel()
	a := authority(t)
	names := []string{"till-pc", "till-pc.local", "192.168.1.5", "fd00::5"}
	if err := a.Issue(names); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(a.ServerCert(), a.ServerKey())
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 2 {
		t.Errorf("%d certificates, want the server's and the authority's", len(pair.Certificate))
	}
	roots := pool(t, a)
	for _, n := range names {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: n}); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other"}); err == nil {
		t.Error("good for a name that it does not have")
	}
	if pair.Leaf.IsCA || time.Until(pair.Leaf.NotAfter) > 825*24*time.Hour {
		t.Errorf("CA %v, until %s", pair.Leaf.IsCA, pair.Leaf.NotAfter)
	}
	ca, err := ReadCertificate(a.CACert())
	if err != nil || !ca.IsCA || !ca.MaxPathLenZero || ca.NotAfter.Before(time.Now().AddDate(9, 11, 0)) {
		t.Errorf("%v: %+v", err, ca)
	}
	if missing := Missing(pair.Leaf, []string{"till-pc", "192.168.1.6"}); !slices.Equal(missing, []string{"192.168.1.6"}) {
		t.Errorf("missing %v", missing)
	}
}

// A second Ensure keeps the authority; a renewal keeps it, too, so that no
// terminal has to be told anything.
func TestRenewalKeepsAuthority(t *testing.T) {
	t.Parallel()
	a := authority(t)
	before := pool(t, a)
	if made, err := a.Ensure("shop"); made || err != nil {
		t.Fatal(made, err)
	}
	var serials []string
	for range 2 {
		if err := a.Issue([]string{"pc"}); err != nil {
			t.Fatal(err)
		}
		c, err := ReadCertificate(a.ServerCert())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Verify(x509.VerifyOptions{Roots: before, DNSName: "pc"}); err != nil {
			t.Error(err)
		}
		serials = append(serials, c.SerialNumber.String())
	}
	if serials[0] == serials[1] {
		t.Error("a certificate was issued twice under one number")
	}
}

func TestKeysAreSecret(t *testing.T) {
	t.Parallel()
	a := authority(t)
	if err := a.Issue([]string{"pc"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{a.caKey(): 0o600, a.ServerKey(): 0o600, a.CACert(): 0o644, a.ServerCert(): 0o644} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

func TestAuthorityOfTwoHalves(t *testing.T) {
	t.Parallel()
	a, b := authority(t), authority(t)
	text, err := os.ReadFile(b.caKey())
	if err == nil {
		err = os.WriteFile(a.caKey(), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Ensure("shop"); !errors.Is(err, ErrKeys) {
		t.Errorf("a foreign key: %v", err)
	}
	if err := a.Issue([]string{"pc"}); !errors.Is(err, ErrKeys) {
		t.Errorf("a foreign key signs: %v", err)
	}
	if err := os.Remove(a.caKey()); err != nil {
		t.Fatal(err)
	}
	if made, err := a.Ensure("shop"); made || err == nil {
		t.Error("a certificate without its key was replaced")
	}
	if err := (Authority{Dir: t.TempDir()}).Issue([]string{"pc"}); !errors.Is(err, ErrNone) {
		t.Errorf("no authority: %v", err)
	}
}

// Near its end the authority signs what it can, then nothing: a certificate
// must not outlive it.
func TestAuthorityEnds(t *testing.T) {
	t.Parallel()
	a := authority(t)
	a.Now = func() time.Time { return time.Now().AddDate(9, 0, 0) }
	if err := a.Issue([]string{"pc"}); err != nil {
		t.Fatal(err)
	}
	ca, _ := ReadCertificate(a.CACert())
	c, err := ReadCertificate(a.ServerCert())
	if err != nil || c.NotAfter.After(ca.NotAfter) {
		t.Errorf("%v, until %s", err, c.NotAfter)
	}
	a.Now = func() time.Time { return time.Now().AddDate(9, 11, 15) }
	if err := a.Issue([]string{"pc"}); !errors.Is(err, ErrExpiry) {
		t.Errorf("%v", err)
	}
}

func TestHostNames(t *testing.T) {
	t.Parallel()
	h := Host{
		Name:      func() (string, error) { return "Till-PC", nil },
		Addresses: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.0.0.7")}, nil },
		Route:     func() (netip.Addr, bool) { return netip.Addr{}, false },
	}
	want := []string{"till-pc", "till-pc.local", "localhost", "127.0.0.1", "::1", "10.0.0.7"} // which is the reachable one, too
	if got := h.Names(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := h.Reachable(); got != "10.0.0.7" {
		t.Errorf("without a route %q", got)
	}
	h.Route = func() (netip.Addr, bool) { return netip.MustParseAddr("192.168.1.5"), true }
	if got := h.Reachable(); got != "192.168.1.5" {
		t.Errorf("with a route %q", got)
	}
	h.Name = func() (string, error) { return "касса", nil } // no certificate can have it
	if got := h.Names()[0]; got != "localhost" {
		t.Errorf("first name %q", got)
	}
}
