package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/daemon/localca"
	"kassad/daemon/secretfile"
	"kassad/daemon/service"
	"kassad/filelock"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/mqtt/broker"
)

// Files of a terminal's folder.
const (
	cardFile = "terminal.json"
	caFile   = "ca.crt"
)

// doorLock keeps apart those who change the terminals, and doorWait is how long
// one waits for the others.
const (
	doorLock = "terminals.lock"
	doorWait = 20 * time.Second
)

// door is where terminals come in: configuration, users file, certificates.
type door struct {
	cfg    daemon.Config
	config string // the file
	names  localca.Host
}

func newDoor(cfg daemon.Config, config string) door {
	if abs, err := filepath.Abs(config); err == nil {
		config = abs
	}
	return door{cfg: cfg, config: config, names: localca.ThisHost()}
}

func (d door) dir() string                { return filepath.Dir(d.config) }
func (d door) cardDir(name string) string { return filepath.Join(d.dir(), "terminals", name) }
func (d door) usersFile() string          { return filepath.Join(d.dir(), "users") }
func (d door) authority() localca.Authority {
	return localca.Authority{Dir: filepath.Join(d.dir(), "tls")}
}

// host is where a terminal finds this computer.
func (d door) host() string {
	host, _, err := net.SplitHostPort(d.cfg.Broker.Listen)
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		return host
	}
	return d.names.Reachable()
}

// users is the text of the users file.
func (d door) users() (string, error) {
	if d.cfg.Broker.UsersFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(d.cfg.Broker.UsersFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", hinted{err: err, hint: withRights()}
	case errors.Is(err, fs.ErrNotExist): // lost: each terminal gets a new password, and the file is there again
		return enrol.UsersHeader, nil
	}
	return string(text), err
}

// usualRights are those of a till: corrections and purchases are for who asks
// for them by name, and so is document, which shows what any other till has sold,
// with the buyer's phone or e-mail.
var usualRights = []string{
	string(fiscal.VerbSale), string(fiscal.VerbRefund), string(fiscal.VerbShiftOpen), string(fiscal.VerbShiftClose),
	string(fiscal.VerbCashIn), string(fiscal.VerbCashOut), string(fiscal.VerbXReport), string(fiscal.VerbCopy),
	string(fiscal.VerbText), string(fiscal.VerbDrawer), string(fiscal.VerbCounters),
}

// verbs are those that need a right.
var verbs = append(slices.Clone(usualRights), string(fiscal.VerbDocument), string(fiscal.VerbCorrection), string(fiscal.VerbBuy), string(fiscal.VerbBuyRefund))

// may tells why a terminal cannot be added.
func (d door) may(name, users string, newPassword bool) error {
	_, configured := d.cfg.Terminals[name]
	known := slices.Contains(enrol.Users(users), name)
	switch {
	case !mqtt.ValidName(name):
		return hinted{err: fmt.Errorf("name %q", name), hint: "a name is 1 to 32 of a-z, 0-9 and -", status: exitUsage}
	case !d.cfg.Broker.Enabled || d.cfg.Broker.UsersFile == "":
		return hinted{err: errors.New("the embedded broker asks for no names: broker.users_file is not set"), hint: "kassad setup makes one in a new configuration; in this one: users_file = '" + d.usersFile() + "' in [broker], and an empty file"}
	case reserved(d.cfg, name):
		return hinted{err: fmt.Errorf("%s is a manager or a relay", name), hint: "give the terminal another name"}
	case known && !newPassword:
		return hinted{err: fmt.Errorf("%s is there already", name), hint: "kassad terminal add " + name + " --new-password"}
	case newPassword && !known && !configured:
		return hinted{err: fmt.Errorf("there is no terminal %s", name), hint: "kassad terminal ls lists them"}
	}
	return nil
}

// alone does work on the terminals as they are now, while nobody else changes
// them.
func (d door) alone(work func(door) error) (err error) {
	lock, err := filelock.Take(filepath.Join(d.dir(), doorLock), os.O_RDWR|os.O_CREATE, secretfile.Mode, doorWait)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return hinted{err: err, hint: withRights()}
	case errors.Is(err, filelock.ErrHeld):
		return hinted{err: errors.New("another kassad is changing the terminals"), hint: "the same again when it has ended"}
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if d.cfg, err = (configFlag{Config: d.config}).load(); err != nil {
		return err
	}
	return work(d)
}

// add gives name a password, and rights if it has none. What others may do
// stays as it is.
func (d door) add(name string, rights []string, host string, newPassword bool) (card enrol.Card, err error) {
	err = d.alone(func(d door) error {
		card, err = d.enter(name, rights, host, newPassword)
		return err
	})
	return card, err
}

func (d door) enter(name string, rights []string, host string, newPassword bool) (enrol.Card, error) {
	users, err := d.users()
	if err == nil {
		err = errors.Join(knownRights(rights), d.may(name, users, newPassword))
	}
	if err != nil {
		return enrol.Card{}, err
	}
	card, err := d.card(name, host)
	if err != nil {
		return card, err
	}
	if err := d.permit(name, rights, users); err != nil {
		return card, err
	}
	if card.Password, err = enrol.Password(); err != nil {
		return card, err
	}
	hash, err := broker.HashPassword(mqtt.Secret(card.Password))
	if err != nil {
		return card, err
	}
	return card, secretfile.Replace(d.cfg.Broker.UsersFile, []byte(enrol.SetUser(users, name, hash)), secretfile.Mode)
}

// knownRights refuses a right that is no verb.
func knownRights(rights []string) error {
	for _, r := range rights {
		if r != "*" && fiscal.Verb(r).Class() == 0 {
			return hinted{err: fmt.Errorf("--rights: there is no verb %q", r), hint: "--rights takes *, or of these, with commas: " + strings.Join(verbs, " "), status: exitUsage}
		}
	}
	return nil
}

// permit writes the rights of a terminal that has none.
func (d door) permit(name string, rights []string, users string) error {
	if _, has := d.cfg.Terminals[name]; has {
		if len(rights) > 0 {
			return hinted{err: fmt.Errorf("%s has rights already", name), hint: "change terminal." + name + ".rights in " + d.config}
		}
		return nil
	}
	if len(rights) == 0 {
		rights = usualRights
	}
	text, err := os.ReadFile(d.config)
	if err != nil {
		return err
	}
	next := string(text)
	if len(d.cfg.Terminals) == 0 && isLoopbackListen(d.cfg.Broker.Listen) {
		// Until now every name might do everything, which a first section ends.
		for _, other := range terminalNames(d.cfg, users) {
			if other != name {
				if next, err = enrol.AddTerminal(next, other, []string{"*"}); err != nil {
					return err
				}
			}
		}
	}
	if next, err = enrol.AddTerminal(next, name, rights); err != nil {
		return err
	}
	return d.rewrite(next, func(c daemon.Config) bool { _, has := c.Terminals[name]; return has })
}

func isLoopbackListen(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// rewrite replaces the configuration by one that is proved to be good.
func (d door) rewrite(text string, done func(daemon.Config) bool) error {
	c, err := daemon.ParseConfig([]byte(text))
	if err == nil {
		err = c.Validate()
	}
	if err == nil && !done(c) {
		err = errors.New("the section is written in a way that kassad does not change")
	}
	if err != nil {
		return hinted{err: fmt.Errorf("%s stays as it is: %w", d.config, err), hint: "change [terminal.…] in it by hand"}
	}
	return secretfile.Replace(d.config, []byte(text), secretfile.Mode)
}

// card is what the terminal is given, but for its password.
func (d door) card(name, host string) (enrol.Card, error) {
	_, port, err := net.SplitHostPort(d.cfg.Broker.Listen)
	if err != nil {
		return enrol.Card{}, err
	}
	c := enrol.Card{V: enrol.CardVersion, Root: d.cfg.Root(), Name: name, URL: "tcp://" + net.JoinHostPort(host, port)}
	if d.cfg.Broker.CertFile == "" {
		return c, nil
	}
	c.URL = "ssl://" + net.JoinHostPort(host, port)
	served, err := localca.ReadCertificate(d.cfg.Broker.CertFile)
	if err != nil {
		return c, hinted{err: err, hint: "kassad setup certs"}
	}
	if err := served.VerifyHostname(host); err != nil {
		return c, hinted{err: err, hint: "kassad setup certs --host " + host + "; or --host with a name that the certificate has"}
	}
	ca, err := localca.ReadCertificate(d.authority().CACert())
	if errors.Is(err, fs.ErrNotExist) { // a certificate of somebody else, whom terminals may know
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if served.CheckSignatureFrom(ca) == nil {
		c.CAFile, c.CASHA256 = caFile, localca.Fingerprint(ca)
	}
	return c, nil
}

// makeFolder makes a folder for secrets. One that was there and is not kassad's
// own stays as its owner has it.
func makeFolder(dir string, mode fs.FileMode) error {
	if exists(dir) && dir != daemon.DefaultConfig().DataDir {
		return nil
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return service.Protect(dir)
}

// writeCard puts the files of a terminal into a folder.
func (d door) writeCard(c enrol.Card, dir string) error {
	if err := makeFolder(dir, 0o700); err != nil {
		return err
	}
	if c.CAFile != "" {
		text, err := os.ReadFile(d.authority().CACert())
		if err == nil {
			err = secretfile.Replace(filepath.Join(dir, c.CAFile), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	text, err := c.File()
	if err != nil {
		return err
	}
	return secretfile.Replace(filepath.Join(dir, cardFile), text, secretfile.Mode)
}

// remove takes a terminal out of the users file and the configuration.
func (d door) remove(name string) error {
	return d.alone(func(d door) error { return d.leave(name) })
}

func (d door) leave(name string) error {
	users, err := d.users()
	if err != nil {
		return err
	}
	rest, hadPassword := enrol.RemoveUser(users, name)
	_, configured := d.cfg.Terminals[name]
	others := slices.DeleteFunc(terminalNames(d.cfg, rest), func(n string) bool { return n == name })
	switch {
	case reserved(d.cfg, name):
		return hinted{err: fmt.Errorf("%s is no terminal", name), hint: "kassad terminal ls lists the terminals"}
	case !hadPassword && !configured:
		return hinted{err: fmt.Errorf("there is no terminal %s", name), hint: "kassad terminal ls lists them"}
	case configured && len(d.cfg.Terminals) == 1 && len(others) > 0 && isLoopbackListen(d.cfg.Broker.Listen):
		return hinted{err: errors.New("without a [terminal.…] every other name might do everything"), hint: fmt.Sprintf("first give one of %s its rights in %s", strings.Join(others, ", "), d.config)}
	}
	if configured {
		text, err := os.ReadFile(d.config)
		if err != nil {
			return err
		}
		next, _ := enrol.RemoveTerminal(string(text), name)
		if err := d.rewrite(next, func(c daemon.Config) bool { _, has := c.Terminals[name]; return !has }); err != nil {
			return err
		}
	}
	if !hadPassword {
		return nil
	}
	return secretfile.Replace(d.cfg.Broker.UsersFile, []byte(rest), secretfile.Mode)
}
