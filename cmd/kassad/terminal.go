package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/daemon/sim"
)

type terminalCommand struct {
	Add    terminalAdd    `cmd:"" help:"Let a terminal in: a password, its rights, and files and a QR code for it."`
	Ls     terminalLs     `cmd:"" help:"List the terminals and what each may do."`
	Remove terminalRemove `cmd:"" help:"Let a terminal in no more."`
}

// Help ends the help of terminal.
func (terminalCommand) Help() string {
	return `Examples:
  kassad terminal add till1
  kassad terminal ls
  kassad terminal remove till1`
}

type terminalAdd struct {
	configFlag
	jsonFlag
	langFlag
	Name        string   `arg:"" help:"Name of the terminal, 1 to 32 of a-z, 0-9 and -."`
	Rights      []string `help:"What it may do; * is everything. Without it all but corrections, purchases and document, which reads every document of the storage." placeholder:"VERB,…"`
	Host        string   `help:"Name or address under which the terminal reaches this computer." placeholder:"HOST"`
	Out         string   `help:"Folder for the files; without it terminals/NAME beside the configuration." placeholder:"DIR" type:"path"`
	NewPassword bool     `help:"Give a terminal that is there a new password; the old one is refused from then on."`
	NoQR        bool     `name:"no-qr" help:"Draw no QR code."`
}

// Help ends the help of terminal add.
func (terminalAdd) Help() string {
	return `The password is shown once, as text and in a QR code, and stands in terminal.json; kassad keeps only what
proves it. Bring the folder, or the code, to the terminal, then delete terminal.json here. A running kassad knows the
rights of a new terminal after: kassad service restart

Examples:
  kassad terminal add till1
  kassad terminal add till2 --rights sale,refund,x-report --host 192.168.1.5
  kassad terminal add till1 --new-password --json`
}

// Run lets a terminal in.
func (c *terminalAdd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d := newDoor(cfg, c.Config)
	card, err := d.add(c.Name, c.Rights, cmp.Or(c.Host, d.host()), c.NewPassword)
	if err != nil {
		return err
	}
	dir := cmp.Or(c.Out, d.cardDir(c.Name))
	if err := d.writeCard(card, dir); err != nil {
		return hinted{err: err, hint: "kassad terminal add " + c.Name + " --new-password --out DIR makes the files anew"}
	}
	t := newTalk(c.language(os.Getenv), nil, e.stdout)
	if c.JSON {
		t.out = e.stderr
	}
	if err := t.admit(cfg, c.Config); err != nil { // a users file that was lost is made anew
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, card)
	}
	showCard(t, card, dir, !c.NoQR)
	if daemonRuns(e, cfg) {
		t.say("Права нового терминала kassad узнает после: kassad service restart", "kassad knows the rights of a new terminal after: kassad service restart")
	}
	return nil
}

// showCard shows the password once.
func showCard(t *talk, card enrol.Card, dir string, withCode bool) {
	t.say("Терминал %s", "Terminal %s", card.Name)
	t.say("  адрес    %s\n  тема     %s\n  имя      %s\n  пароль   %s", "  url      %s\n  root     %s\n  name     %s\n  password %s", card.URL, card.Root, card.Name, card.Password)
	t.say("  файлы    %s", "  files    %s", dir)
	t.say("Пароль показан один раз. Перенесите файлы или код на терминал и удалите terminal.json.",
		"The password is shown once. Bring the files or the code to the terminal and delete terminal.json.")
	if !withCode {
		return
	}
	text, err := card.QR()
	if err != nil {
		return
	}
	rows, err := sim.QR(text)
	if err != nil { // too long for a code: the files have everything
		return
	}
	for _, r := range rows {
		fmt.Fprintln(t.out, r)
	}
}

// daemonRuns tells whether a daemon serves the data of cfg.
func daemonRuns(e *env, cfg daemon.Config) bool {
	_, err := ask(e, cfg, "status", operator(), nil)
	return !errors.Is(err, daemon.ErrNotRunning)
}

type terminalLs struct {
	configFlag
	jsonFlag
}

// Help ends the help of terminal ls.
func (terminalLs) Help() string {
	return `PASSWORD says whether the users file has one; RIGHTS what the configuration permits.

Examples:
  kassad terminal ls
  kassad terminal ls --json`
}

// terminalRow is a terminal as scripts read it.
type terminalRow struct {
	Name     string   `json:"name"`
	Password bool     `json:"password"`
	Rights   []string `json:"rights"`
	Device   string   `json:"device,omitempty"`
	Route    string   `json:"route,omitempty"`
}

// Run lists the terminals.
func (c *terminalLs) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	users, err := newDoor(cfg, c.Config).users()
	if err != nil {
		return err
	}
	rows := []terminalRow{}
	for _, name := range slices.Sorted(slices.Values(terminalNames(cfg, users))) {
		t := cfg.Terminals[name]
		row := terminalRow{Name: name, Password: slices.Contains(enrol.Users(users), name), Rights: t.Rights, Device: t.Device, Route: t.Route}
		if row.Rights == nil {
			row.Rights = []string{}
		}
		rows = append(rows, row)
	}
	if c.JSON {
		return printJSON(e.stdout, rows)
	}
	t := newTable(e.stdout, "TERMINAL", "PASSWORD", "RIGHTS", "DEVICE", "ROUTE")
	for _, r := range rows {
		t.row(r.Name, yesNo(r.Password), strings.Join(r.Rights, " "), r.Device, r.Route)
	}
	return t.flush()
}

// terminalNames are those of the configuration, and of the users file but for
// managers and the relay.
func terminalNames(cfg daemon.Config, users string) []string {
	var names []string
	for name := range cfg.Terminals {
		names = append(names, name)
	}
	for _, name := range enrol.Users(users) {
		if !reserved(cfg, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// reserved tells whether a name belongs to somebody who is no terminal.
func reserved(cfg daemon.Config, name string) bool {
	_, manager := cfg.Managers[name]
	return manager || cfg.LifePay != nil && cfg.LifePay.Callback.RelayUser == name
}

type terminalRemove struct {
	configFlag
	Name string `arg:"" help:"Name of the terminal."`
}

// Help ends the help of terminal remove.
func (terminalRemove) Help() string {
	return `Its name leaves the users file and the configuration, and its folder under terminals is emptied. A terminal
that is connected stays so until: kassad service restart

Examples:
  kassad terminal remove till1`
}

// Run takes a terminal out.
func (c *terminalRemove) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d := newDoor(cfg, c.Config)
	if err := d.remove(c.Name); err != nil {
		return err
	}
	for _, name := range []string{cardFile, caFile} {
		if err := os.Remove(filepath.Join(d.cardDir(c.Name), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	os.Remove(d.cardDir(c.Name)) // stays if somebody has put a file there
	_, err = fmt.Fprintf(e.stdout, "%s is removed; a running kassad knows it after: kassad service restart\n", c.Name)
	return err
}
