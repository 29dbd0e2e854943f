package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"kassad/daemon"
	"kassad/mqtt"
	"kassad/mqtt/broker"
)

//go:embed kassad.toml
var sampleConfig string

type configCommand struct {
	Check configCheck `cmd:"" help:"Read the configuration and report everything that is wrong with it."`
	Show  configShow  `cmd:"" help:"Print the configuration in effect: file, environment and defaults, without secrets."`
	Init  configInit  `cmd:"" help:"Print a commented sample, or write it to a file."`
	User  configUser  `cmd:"" help:"Print the line of a name in the broker's users file; the password comes by standard input."`
}

// Help ends the help of config.
func (configCommand) Help() string {
	return `Examples:
  kassad config init > kassad.toml
  kassad config check --config kassad.toml`
}

type configCheck struct {
	configFlag
	jsonFlag
}

// Help ends the help of config check.
func (configCheck) Help() string {
	return `The files that it names (certificates, keys, users, passwords) must be there, and whoever asks must be able to
read them. No port is opened: kassad doctor tries ports, disk and broker.

Examples:
  kassad config check --config kassad.toml
  kassad config check --json`
}

// checkedConfig is the outcome as scripts read it.
type checkedConfig struct {
	File     string   `json:"file"`
	OK       bool     `json:"ok"`
	Root     string   `json:"root,omitempty"`
	Devices  []string `json:"devices,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Run checks the configuration.
func (c *configCheck) Run(e *env) error {
	cfg, err := c.load()
	if err == nil {
		err = checkFiles(cfg)
	}
	result := checkedConfig{File: c.Config, OK: err == nil}
	if err == nil {
		result.Root = cfg.Root()
		result.Devices = cfg.Backends()
	} else {
		result.Problems = strings.Split(err.Error(), "\n")
	}
	switch {
	case c.JSON:
		return errors.Join(printJSON(e.stdout, result), err)
	case err != nil:
		return err
	default:
		_, err := fmt.Fprintf(e.stdout, "OK %s: %s, devices: %s\n", result.File, result.Root, strings.Join(result.Devices, ", "))
		return err
	}
}

// checkFiles looks for the files that the configuration names, and reads what the
// embedded broker starts with.
func checkFiles(cfg daemon.Config) error {
	var errs []error
	hint := "make the files that are missing (users: kassad terminal add NAME --new-password; certificates: kassad setup certs), or name others"
	for _, name := range cfg.Files() {
		f, err := os.Open(name)
		if err == nil {
			err = f.Close()
		}
		if errors.Is(err, fs.ErrPermission) {
			hint = withRights()
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return hinted{err: err, hint: hint}
	}
	if err := cfg.CheckBroker(); err != nil {
		return hinted{err: err, hint: "take the line out of the users file, kassad terminal add NAME writes a good one; kassad setup certs makes a certificate with its key"}
	}
	return nil
}

type configShow struct {
	configFlag
	jsonFlag
}

// Help ends the help of config show.
func (configShow) Help() string {
	return `Examples:
  kassad config show --config kassad.toml
  kassad config show --json`
}

// Run prints the configuration in effect.
func (c *configShow) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, masked(cfg))
	}
	text, err := toml.Marshal(masked(cfg))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "# %s, KASSAD_* and defaults; passwords are not shown\n%s", c.Config, text)
	return err
}

// masked is cfg as maps under the keys of the file, without what nobody should
// read over a shoulder and without what says nothing.
func masked(cfg daemon.Config) map[string]any {
	var tree map[string]any
	text, err := toml.Marshal(cfg.Public())
	if err != nil || toml.Unmarshal(text, &tree) != nil {
		return nil // a configuration that was read can be written
	}
	prune(tree)
	return tree
}

// prune removes empty values and passwords.
func prune(tree map[string]any) {
	for key, v := range tree {
		switch v := v.(type) {
		case map[string]any:
			prune(v)
			if len(v) == 0 {
				delete(tree, key)
			}
		case []any:
			for _, item := range v {
				if m, ok := item.(map[string]any); ok {
					prune(m)
				}
			}
			if len(v) == 0 {
				delete(tree, key)
			}
		case string:
			if v == "" || key == "taxation" && v == "0" { // the device's own
				delete(tree, key)
			}
		}
		if key == "password" {
			delete(tree, key)
		}
	}
}

type configInit struct {
	File string `arg:"" optional:"" help:"Write the sample here; an existing file is never touched."`
}

// Help ends the help of config init.
func (configInit) Help() string {
	return `Examples:
  kassad config init > kassad.toml
  kassad config init /etc/kassad/kassad.toml`
}

// Run prints the sample.
func (c *configInit) Run(e *env) error {
	if c.File == "" {
		_, err := fmt.Fprint(e.stdout, sampleConfig)
		return err
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	switch {
	case errors.Is(err, fs.ErrExist):
		return hinted{err: err, hint: "move the file away first, or name another one"}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err: err, hint: "create the directory first"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err: err, hint: withRights() + ", or name a file in a folder of yours"}
	case err != nil:
		return err
	}
	if _, err := fmt.Fprint(f, sampleConfig); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stderr, "wrote %s; it looks for the printer by itself; then: kassad config check --config %s\n", c.File, c.File)
	return err
}

type configUser struct {
	Name string `arg:"" help:"Terminal or manager, 1 to 32 of a-z, 0-9 and -."`
}

// Help ends the help of config user.
func (configUser) Help() string {
	return `The line holds no password, only what proves one. A running broker notices a changed file by itself.

Examples:
  kassad config user till1 < password.txt >> /etc/kassad/users`
}

// passwordBytesMax is where bcrypt ends.
const passwordBytesMax = 72

// Run prints a line for the users file.
func (c *configUser) Run(e *env) error {
	if !mqtt.ValidName(c.Name) {
		return hinted{err: fmt.Errorf("name %q", c.Name), hint: "a name is 1 to 32 of a-z, 0-9 and -", status: exitUsage}
	}
	// Without the line end, as whoever reads a password file takes it.
	text, err := io.ReadAll(io.LimitReader(e.stdin, passwordBytesMax+2))
	if err != nil {
		return err
	}
	hash, err := broker.HashPassword(mqtt.Secret(strings.TrimSpace(string(text))))
	if err != nil {
		return hinted{err: err, hint: fmt.Sprintf("give a password of 1 to %d bytes by standard input", passwordBytesMax)}
	}
	_, err = fmt.Fprintf(e.stdout, "%s:%s\n", c.Name, hash)
	return err
}
