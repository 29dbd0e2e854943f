package main

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// field writes one member of a JSON file into a file.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field file.json name out")
	}
	var v map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	text, ok := v[args[1]].(string)
	if !ok {
		ts.Fatalf("%s has no text %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// markerMin keeps the ends of keys out, which are too short to be proof.
const markerMin = 6

// hides fails if a line of one of the files, or a hash of it, is in the
// archive, in a name or in any file.
func hides(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hides archive.zip file...")
	}
	archive, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer archive.Close()
	texts := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		ts.Check(err)
		text, err := io.ReadAll(r)
		ts.Check(err)
		texts[f.Name] = f.Name + string(text)
	}
	looked := 0
	for _, file := range args[1:] {
		for line := range strings.Lines(ts.ReadFile(file)) {
			marker := strings.TrimSpace(line)
			if strings.HasPrefix(marker, "#") || strings.HasPrefix(marker, "-----") {
				continue
			}
			if name, hash, ok := strings.Cut(marker, ":$2a$"); ok && name != "" {
				marker = hash
			}
			if len(marker) < markerMin {
				continue
			}
			looked++
			for name, text := range texts {
				if strings.Contains(text, marker) {
					ts.Fatalf("%s: %s of the archive has %q", file, name, marker)
				}
			}
		}
	}
	if looked < len(args)-1 || len(texts) != len(entries) {
		ts.Fatalf("%d markers in %d files, %d entries", looked, len(args)-1, len(texts))
	}
}

func TestScrubber(t *testing.T) {
	t.Parallel()
	s := newScrubber([]string{"Marker/One+2", `quo"ted-pass`, "30", "Marker"})
	for text, want := range map[string]string{
		"key Marker/One+2 end":                               "key *** end",
		"url ?k=Marker%2FOne%2B2&x":                          "url ?k=***&x",
		`{"p":"quo\"ted-pass"}`:                              `{"p":"***"}`,
		"30 of 30":                                           "30 of 30",
		"to ivan.petrov+1@mail.example.ru now":               "to *** now",
		"почта иван@почта.рф, да":                            "почта ***, да",
		"+79161234567":                                       "***",
		"phones 89161234567 79161234568":                     "phones *** ***",
		"8 (916) 123-45-67":                                  "***",
		"FN 9999078900000001, INN 7707083893":                "FN 9999078900000001, INN 7707083893",
		"at 1790000000000 µs, id 018f-79161234567":           "at 1790000000000 µs, id 018f-***",
		"till1:$2a$10$abcdefghijklmnopqrstuv.WXYZ0123456789": "till1:***",
		"password=hunter2 next":                              "password=*** next",
		`"token": "abc"`:                                     `"token": ***`,
		"Authorization: Bearer abc.def":                      "Authorization: ***",
		"3| cashier = 'Иванова А.А.' # of the day":           "3| cashier = *** # of the day",
		`"cashier": "Иванова"`:                               `"cashier": ***`,
		`"cashier": {"name": "***"}`:                         `"cashier": {"name": "***"}`,
		"kassad/v1/a/b/c/callback/lifepay/tok/id":            "kassad/v1/a/b/c/callback/lifepay/***",
		"a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb": "a\n***\nb",
		"cut -----BEGIN PRIVATE KEY-----\nMHcC":                                   "cut ***",
	} {
		if got := s.clean(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestWithoutPeople(t *testing.T) {
	t.Parallel()
	const record = `[{"id":"7","document":{"customer":"a@b.ru","buyer":{"name":"N","inn":"1"},"cashier":{"name":"C"},"text":["t"],"additional":"x",
		"lines":[{"name":"Чай","additional":"y","agent":{"phones":["1"],"transfer":{"phones":["2"]}}}]},"receipt":{"fd":3,"url":"https://r"},"resolved":{"note":"z"}}]`
	var v any
	if err := json.Unmarshal([]byte(record), &v); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(withoutPeople(v))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"document":{"additional":"***","buyer":"***","cashier":"***","customer":"***","lines":[{"additional":"***","agent":{"phones":"***","transfer":"***"},"name":"Чай"}],"text":"***"},"id":"7","receipt":{"fd":3,"url":"***"},"resolved":{"note":"***"}}]`
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

// A configuration that cannot be read still makes an archive, which tells so
// and shows nothing of it.
func TestSupportWithoutConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, out := filepath.Join(dir, "kassad.toml"), filepath.Join(dir, "s.zip")
	if err := os.WriteFile(config, []byte("apikey = \"Marker-apikey\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"support", "--config", config, "--out", out, "--lang", "en"}, nil, &stdout, &stderr); status != exitOK {
		t.Fatalf("%d: %s", status, stderr.String())
	}
	if !strings.Contains(stdout.String(), "unknown key") || strings.Contains(stdout.String(), "Marker-apikey") {
		t.Errorf("%s", stdout.String())
	}
	archive, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || strings.Contains(string(text), "Marker-apikey") {
			t.Errorf("%s: %v\n%s", f.Name, err, text)
		}
	}
	if run(t.Context(), []string{"support", "--config", config, "--out", out}, nil, &stdout, &stderr) != exitFailed {
		t.Error("an archive was written over another one")
	}
}
