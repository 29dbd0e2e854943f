package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// build makes binaries of the product, as a release has them: in a folder each.
func build(t *testing.T, systems ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, goos := range systems {
		path := filepath.Join(dir, goos+"-amd64", "kassad")
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "kassad/cmd/kassad")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		paths = append(paths, path)
	}
	return paths
}

// TestDocument: every module of every binary is told once, with the hash of
// go.sum, and nothing else is; the same input makes the same bytes.
func TestDocument(t *testing.T) {
	t.Parallel()
	at := time.Unix(1795360324, 0)
	paths := build(t, "linux", "windows")
	text, err := Document("kassad", "1.2.3+5.gabc", at, paths)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Document("kassad", "1.2.3+5.gabc", at, []string{paths[1], paths[0]})
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("another order, another document: %v", err)
	}
	if other, _ := Document("kassad", "1.2.4", at, paths); serialOf(t, other) == serialOf(t, text) {
		t.Error("two documents of one serial number")
	}
	var d bom
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Metadata.Timestamp != "2026-11-22T15:12:04Z" || d.Metadata.Component.Version != "1.2.3+5.gabc" {
		t.Errorf("%+v", d.Metadata)
	}
	told := map[string]string{}
	for _, c := range d.Components {
		if _, twice := told[c.Ref]; twice {
			t.Errorf("%s is told twice", c.Ref)
		}
		told[c.Ref] = ""
		for _, p := range c.Properties {
			if p.Name == "kassad:go.sum" {
				told[c.Ref] = p.Value
			}
		}
		if c.Type == "file" && (len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64) {
			t.Errorf("%s: %+v", c.Ref, c.Hashes)
		}
	}
	want := map[string]bool{"file:linux-amd64/kassad": true, "file:windows-amd64/kassad": true}
	for _, path := range paths {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want["pkg:golang/std@"+strings.TrimPrefix(info.GoVersion, "go")] = true
		for _, m := range info.Deps {
			ref := "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
			want[ref] = true
			if told[ref] != m.Sum || !strings.HasPrefix(m.Sum, "h1:") {
				t.Errorf("%s: hash %q, want %q", ref, told[ref], m.Sum)
			}
		}
	}
	for ref := range want {
		if _, is := told[ref]; !is {
			t.Errorf("%s is not told", ref)
		}
	}
	if len(told) != len(want) {
		t.Errorf("%d components, want %d", len(told), len(want))
	}
	for _, link := range d.Dependencies {
		for _, ref := range link.DependsOn {
			if !want[ref] {
				t.Errorf("%s depends on %s, which nothing is", link.Ref, ref)
			}
		}
		if strings.HasPrefix(link.Ref, "file:") && len(link.DependsOn) < 10 {
			t.Errorf("%s depends on %d modules", link.Ref, len(link.DependsOn))
		}
	}
}

func serialOf(t *testing.T, text []byte) string {
	t.Helper()
	var d bom
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d.Serial
}

// TestNoBinary: a file that tells nothing of itself is an error, not a gap.
func TestNoBinary(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if text, err := Document("kassad", "1", time.Time{}, []string{path}); err == nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
}
