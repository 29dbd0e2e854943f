//go:build packages

package windows_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The same binaries give the same packages, byte for byte, whenever and from
// wherever they are packed.
func TestReproducible(t *testing.T) {
	need(t, packers)
	dir, version := scratch(t), "1.2.3~rc1"
	binaries(t, dir, version, "amd64")
	binaries(t, dir, version, "386")
	first, told := build(t, dir, version)
	if strings.Count(told, "NOT SIGNED") != 3 {
		t.Errorf("that nothing is signed is not told three times:\n%s", told)
	}
	moved := filepath.Join(scratch(t), "elsewhere")
	if err := os.CopyFS(moved, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	second, _ := build(t, moved, version, "TZ=Asia/Vladivostok", "LC_ALL=C.UTF-8")
	want := []string{"kassad-1.2.3~rc1-windows-386.zip", "kassad-1.2.3~rc1-windows-amd64.zip", "kassad-1.2.3~rc1-x64.msi"}
	if got := names(t, first); !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	for _, name := range want {
		if !bytes.Equal(read(t, filepath.Join(first, name)), read(t, filepath.Join(second, name))) {
			t.Errorf("%s differs from build to build", name)
		}
	}
	archive(t, filepath.Join(first, want[1]), read(t, filepath.Join(dir, "windows-amd64", "kassad.exe")))
	sentences(t, filepath.Join(first, want[2]))
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// archive looks into a zip.
func archive(t *testing.T, path string, exe []byte) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var got []string
	for _, f := range z.File {
		got = append(got, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		switch text := b.String(); {
		case strings.HasSuffix(f.Name, ".exe"):
			if text != string(exe) {
				t.Errorf("%s is another program", f.Name)
			}
		case strings.Contains(text, "@VERSION@"), strings.Count(text, "\n") != strings.Count(text, "\r\n"), !strings.HasPrefix(text, "\ufeff"):
			t.Errorf("%s is not as Notepad reads it", f.Name)
		}
	}
	const in = "kassad-1.2.3~rc1-windows-amd64/"
	if !slices.Equal(got, []string{in + "kassad.exe", in + "README.txt", in + "kassad.toml"}) {
		t.Errorf("%v", got)
	}
}

// sentences looks for what Windows Installer tells, in the code page of the
// database: Wine shows it to nobody.
func sentences(t *testing.T, msi string) {
	t.Helper()
	told := mustTool(t, []string{"LC_ALL=C.UTF-8"}, "msiinfo", "export", msi, "LaunchCondition")
	for _, w := range []string{
		"WINDOWSBUILD >= 14393\tНужна Windows 10 версии 1607, Windows Server 2016 или новее.", "needs Windows 10 version 1607, Windows Server 2016 or later.",
		"NOT NEWERKASSAD\tУстановлен более новый kassad.", "A newer kassad is installed.",
	} {
		if !strings.Contains(told, w) {
			t.Errorf("nothing of %q in\n%s", w, told)
		}
	}
	if page := mustTool(t, nil, "msiinfo", "export", msi, "_ForceCodepage"); !strings.Contains(page, "1251\t_ForceCodepage") {
		t.Errorf("code page %q", page)
	}
}

// certificate makes an authority and a certificate that signs programs.
func certificate(t *testing.T) (env []string) {
	t.Helper()
	dir := scratch(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kassad test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return []string{"SIGN_WITH=-certs " + cert + " -key " + private, "SIGN_CA=" + cert}
}

// What is signed proves it, and no longer does so when a byte is changed; a
// certificate that nobody vouches for is no signature.
func TestSigned(t *testing.T) {
	need(t, packers)
	need(t, map[string]string{"osslsigncode": "osslsigncode"})
	dir, version := scratch(t), "1.2.3"
	binaries(t, dir, version, "amd64")
	with := certificate(t)
	out, told := build(t, dir, version, with...)
	if strings.Contains(told, "NOT SIGNED") || !strings.Contains(told, "no time stamp (-ts)") {
		t.Errorf("%s", told)
	}
	msi, ca := filepath.Join(out, "kassad-1.2.3-x64.msi"), strings.TrimPrefix(with[1], "SIGN_CA=")
	mustTool(t, nil, "osslsigncode", "verify", "-CAfile", ca, "-in", msi)
	text := read(t, msi)
	text[len(text)/2] ^= 1 // in the cabinet
	write(t, msi, text)
	if told, err := tool(t, nil, "osslsigncode", "verify", "-CAfile", ca, "-in", msi); err == nil {
		t.Errorf("a changed installer is well signed:\n%s", told)
	}
	exe := filepath.Join(out, "kassad.exe")
	unpack(t, filepath.Join(out, "kassad-1.2.3-windows-amd64.zip"), "kassad.exe", exe)
	mustTool(t, nil, "osslsigncode", "verify", "-CAfile", ca, "-in", exe)

	other := certificate(t)
	if told, err := tool(t, []string{with[0], other[1]}, "./sign.sh", exe); err == nil || !strings.Contains(told, "SIGN_CA vouches for") {
		t.Errorf("%v\n%s", err, told)
	}
}

func unpack(t *testing.T, archive, name, to string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if filepath.Base(f.Name) != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		write(t, to, b.Bytes())
		return
	}
	t.Fatalf("no %s in %s", name, archive)
}
