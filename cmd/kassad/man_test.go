package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var updateMan = flag.Bool("man.update", false, "write packaging/linux/kassad.1 anew")

const manPage = "../../packaging/linux/kassad.1"

// TestManPage: the page of the packages is what the help says, command by
// command and flag by flag.
func TestManPage(t *testing.T) {
	t.Parallel()
	var c cli
	k, err := kong.New(&c, kong.Name("kassad"), kong.Vars{"config": "/etc/kassad/kassad.toml"}, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	want := man(k.Model)
	if *updateMan {
		if err := os.WriteFile(manPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("packaging/linux/kassad.1 is not what the help says: go test ./cmd/kassad -run TestManPage -man.update")
	}
	for _, leaf := range k.Model.Leaves(true) {
		if name := leaf.Path(); !strings.Contains(string(got), "\n.SS "+roff(name)) {
			t.Errorf("%s is not told", name)
		}
	}
}

// man writes the model as a page of section 1.
func man(model *kong.Application) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line(`.\" Written by TestManPage from the help of the commands.`)
	line(`.TH KASSAD 1 "" "kassad @VERSION@" "kassad"`)
	line(".SH NAME\nkassad %s one sale, one fiscal document", `\-`)
	line(".SH SYNOPSIS\n.B kassad\n.I command\n.RI [ arguments ]")
	line(".SH DESCRIPTION\nPoint-of-sale terminals tell kassad over MQTT what was sold; it makes exactly one fiscal document of each sale, on the shop's own fiscal printer, or in a cloud register.")
	line("In a shop, with the printer plugged in and switched on:\n.PP\n.nf\nsudo kassad setup\n.fi")
	line(".SH COMMANDS")
	for _, leaf := range model.Leaves(true) {
		summary := roff(leaf.Path())
		for _, p := range leaf.Positional {
			summary += " " + roff(p.Summary())
		}
		line(".SS %s\n%s", summary, roff(leaf.Help))
		for _, group := range leaf.AllFlags(true) {
			for _, f := range group {
				if f.Name == "help" {
					continue
				}
				name := "--" + f.Name
				if f.Short != 0 {
					name = "-" + string(f.Short) + ", " + name
				}
				if !f.IsBool() {
					name += "=" + f.FormatPlaceHolder()
				}
				line(".TP\n.B %s\n%s", roff(name), roff(f.Help))
			}
		}
		if leaf.Detail != "" {
			line(".PP\n.nf\n%s\n.fi", roff(strings.TrimSpace(leaf.Detail)))
		}
	}
	line(".SH EXIT STATUS\n0 done, 1 failed, 2 not understood, 3 refused by kassad.")
	line(".SH FILES")
	for _, f := range [][2]string{
		{"/etc/kassad/kassad.toml", "the configuration; kassad setup writes it, a sample is in /usr/share/doc/kassad/examples"},
		{"/var/lib/kassad", "the journal of commands and documents"},
		{"/etc/udev/rules.d/69-kassad-local.rules", "printers of yours for the rules of the package (70-kassad.rules)"},
	} {
		line(".TP\n.I %s\n%s", roff(f[0]), roff(f[1]))
	}
	line(".SH SEE ALSO\n.BR systemctl (1),\n.BR journalctl (1);\nthe pages in /usr/share/doc/kassad/docs")
	return b.String()
}

var roffStart = regexp.MustCompile(`(?m)^([.'])`)

// roff keeps a text from being read as commands of the page.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	return roffStart.ReplaceAllString(s, `\&$1`)
}
