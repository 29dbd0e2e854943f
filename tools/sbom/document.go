package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The parts of CycloneDX 1.5 that are written.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Serial       string       `json:"serialNumber"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// binary is one file, and the modules that were linked into it.
type binary struct {
	file    component
	modules []component
}

// Document describes the binaries: each with its hash and its modules. The same
// binaries, version and time make the same bytes, in whatever order they come.
func Document(name, version string, at time.Time, paths []string) ([]byte, error) {
	product := component{Type: "application", Ref: name + "@" + version, Name: name, Version: version}
	modules, top := map[string]component{}, dependency{Ref: product.Ref}
	var files []component
	var links []dependency
	for _, path := range paths {
		b, err := read(path)
		if err != nil {
			return nil, err
		}
		files = append(files, b.file)
		top.DependsOn = append(top.DependsOn, b.file.Ref)
		link := dependency{Ref: b.file.Ref}
		for _, m := range b.modules {
			modules[m.Ref] = m
			link.DependsOn = append(link.DependsOn, m.Ref)
		}
		slices.Sort(link.DependsOn)
		links = append(links, link)
	}
	byRef := func(a, b component) int { return strings.Compare(a.Ref, b.Ref) }
	slices.SortFunc(files, byRef)
	slices.Sort(top.DependsOn)
	slices.SortFunc(links, func(a, b dependency) int { return strings.Compare(a.Ref, b.Ref) })
	d := bom{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Metadata:     metadata{Timestamp: at.UTC().Format(time.RFC3339), Component: product},
		Components:   append(files, slices.SortedFunc(maps.Values(modules), byRef)...),
		Dependencies: append([]dependency{top}, links...),
	}
	text, err := encode(d)
	if err != nil {
		return nil, err
	}
	d.Serial = serial(text)
	return encode(d)
}

func encode(d bom) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(d)
	return b.Bytes(), err
}

// serial is a UUID (version 8: of one's own making) that is the contents': a
// drawn one would make each build another.
func serial(text []byte) string {
	u := sha256.Sum256(text)
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// read opens one binary. Its name is that of its folder and file: the binaries
// of a release are all called alike.
func read(path string) (binary, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return binary{}, fmt.Errorf("%s: %w", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return binary{}, err
	}
	sum := sha256.Sum256(text)
	b := binary{file: component{
		Type: "file", Name: filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path),
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	}}
	b.file.Ref = "file:" + b.file.Name
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "GOARM", "GO386", "CGO_ENABLED", "-trimpath":
			b.file.Properties = append(b.file.Properties, property{"kassad:build:" + s.Key, s.Value})
		}
	}
	b.modules = append(b.modules, module(&debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.modules = append(b.modules, module(m))
	}
	return b, nil
}

// module names a module as the package URL specification does for Go, with the
// hash of go.sum: it is that of the sources, which no algorithm of CycloneDX is.
func module(m *debug.Module) component {
	purl := "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(url.PathEscape(m.Version), "+", "%2B")
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	if m.Sum != "" {
		c.Properties = []property{{"kassad:go.sum", m.Sum}}
	}
	return c
}
