package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"kassad/daemon"
	"kassad/daemon/enrol"
	"kassad/fiscal"
	"kassad/mqtt"
)

// defaultTerminal is who calls when nobody is named.
const defaultTerminal = "cli"

type callCommand struct {
	configFlag
	jsonFlag
	Verb         string        `arg:"" help:"sale, refund, buy, buy-refund, correction, shift-open, shift-close, cash-in, cash-out, x-report, copy, text, drawer, counters, document, status, query, cancel, sync or hello."`
	File         string        `arg:"" optional:"" help:"JSON: the body alone, or the whole envelope; - reads standard input. Without it the body is empty."`
	Terminal     string        `help:"Name of the terminal (default cli, or the user)." placeholder:"NAME"`
	ID           string        `name:"id" help:"Id of the command; a new UUID otherwise. The same id again asks, and never prints twice." placeholder:"ID"`
	Device       string        `help:"Device of the command, where there are several." placeholder:"NAME"`
	Timeout      time.Duration `help:"How long to wait for the final answer." default:"2m" placeholder:"2m"`
	Card         string        `help:"What kassad terminal add wrote for a terminal: broker, name, password and certificate." placeholder:"FILE"`
	URL          string        `name:"url" help:"Broker, tcp://host:1883 or ssl://host:8883; otherwise from the configuration." placeholder:"URL"`
	Root         string        `help:"Topic root, kassad/v1/ORG/STORE/NODE; otherwise from the configuration." placeholder:"TOPIC"`
	User         string        `help:"Name for the broker." placeholder:"NAME"`
	PasswordFile string        `help:"File with the password for the broker." placeholder:"FILE"`
	CAFile       string        `name:"ca-file" help:"Certificate that signed the broker's." placeholder:"FILE"`
}

// Help ends the help of call.
func (callCommand) Help() string {
	return `v, id and at are filled in where they are missing. Every state goes to standard error as it comes, the
last answer to standard output. Exit status: 0 done, 3 refused, 1 no final answer.

Examples:
  kassad call shift-open cashier.json
  kassad call sale sale.json
  echo '{"amount": 1000.00}' | kassad call cash-in -
  kassad call x-report
  kassad call counters --json
  kassad call sale sale.json --terminal till1 --id 2026-11-22-0001 --timeout 30s
  kassad call sale sale.json --card /etc/kassad/terminals/till1/terminal.json
  kassad call hello --url tcp://127.0.0.1:1883 --root kassad/v1/local/shop/main`
}

// Run sends the command and waits.
func (c *callCommand) Run(e *env) error {
	payload, err := c.read(e.stdin)
	if err != nil {
		return err
	}
	req, err := complete(payload, c.ID, c.Device, time.Now())
	if err != nil {
		return err
	}
	cfg, err := c.terminal()
	if err != nil {
		return err
	}
	ctx, stop := notified(e.ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	t, err := mqtt.DialTerminal(ctx, cfg, nil)
	if err != nil {
		return hinted{err: err, hint: dialHint(cfg, err)}
	}
	defer t.Close()
	answer, err := c.wait(ctx, cancel, t, req, e.stderr)
	if err != nil {
		return err
	}
	if err := c.print(e.stdout, answer.Payload); err != nil {
		return err
	}
	return verdict(answer.Payload)
}

// wait returns the final answer. A held command ends the wait, too: a person
// decides about it, and that may take a day.
func (c *callCommand) wait(ctx context.Context, cancel context.CancelFunc, t *mqtt.Terminal, req request, log io.Writer) (mqtt.Reply, error) {
	var held *mqtt.Reply
	began := time.Now()
	r, err := t.Call(ctx, c.Verb, req.id, req.payload, func(r mqtt.Reply) {
		fmt.Fprintf(log, "%s +%.2fs %s\n", time.Now().Format(clockTime), time.Since(began).Seconds(), describe(r.Payload))
		if r.State == string(fiscal.Held) {
			held = &r
			cancel()
		}
	})
	switch {
	case held != nil && err != nil:
		return *held, nil
	case err != nil:
		return r, hinted{err: err, hint: fmt.Sprintf("kassad status tells whether the daemon runs; the same call with --id %s asks again and never makes a second document", req.id)}
	default:
		return r, nil
	}
}

func (c *callCommand) print(w io.Writer, payload []byte) error {
	var out bytes.Buffer
	if c.JSON {
		if err := json.Compact(&out, payload); err != nil {
			return err
		}
	} else if err := json.Indent(&out, payload, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, out.String())
	return err
}

// read returns what the command line names as the command.
func (c *callCommand) read(stdin io.Reader) ([]byte, error) {
	if !mqtt.ValidName(c.Verb) {
		return nil, hinted{err: fmt.Errorf("verb %q", c.Verb), hint: "kassad call --help lists the verbs", status: exitUsage}
	}
	switch c.File {
	case "":
		return []byte("{}"), nil
	case "-":
		return io.ReadAll(stdin)
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return nil, hinted{err: err, hint: "name a JSON file, or - for standard input"}
	}
	return b, nil
}

// terminal tells how to reach the broker: flags, and the configuration for what
// they leave open.
func (c *callCommand) terminal() (mqtt.TerminalConfig, error) {
	// A session of its own: two calls at once under one name are no quarrel.
	t := mqtt.TerminalConfig{
		URL: c.URL, Root: c.Root, Name: c.Terminal, Username: c.User, CAFile: c.CAFile,
		ClientID: "call-" + uuid.NewString(), Fleeting: true,
	}
	if c.Card != "" {
		card, err := enrol.ReadCard(c.Card)
		if err != nil {
			return t, hinted{err: err, hint: "kassad terminal add NAME makes one; it is for root or administrators"}
		}
		t.URL, t.Root, t.CAFile = cmp.Or(t.URL, card.URL), cmp.Or(t.Root, card.Root), cmp.Or(t.CAFile, card.CAFile)
		t.Username, t.Password = cmp.Or(t.Username, card.Name), card.Password
	}
	// Where names are proven, a terminal speaks under its own.
	t.Name = cmp.Or(t.Name, t.Username, defaultTerminal)
	if !mqtt.ValidName(t.Name) {
		return t, hinted{err: fmt.Errorf("terminal %q", t.Name), hint: "a name is 1 to 32 of a-z, 0-9 and -", status: exitUsage}
	}
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return t, fmt.Errorf("--password-file: %w", err)
		}
		t.Password = strings.TrimSpace(string(b))
	}
	if t.URL != "" && t.Root != "" {
		return t, nil
	}
	cfg, err := c.load()
	if err != nil {
		return t, hinted{err: err, hint: "name the broker with --url tcp://HOST:1883 --root kassad/v1/ORG/STORE/NODE, or the configuration with --config FILE"}
	}
	if t.Root == "" {
		t.Root = cfg.Root()
	}
	if t.URL == "" {
		t.URL, t.CAFile = brokerOf(cfg, t.CAFile)
	}
	return t, nil
}

// brokerOf is where the terminals of a configuration connect.
func brokerOf(cfg daemon.Config, ca string) (address, caFile string) {
	if !cfg.Broker.Enabled {
		for _, l := range cfg.MQTT {
			if l.Role == daemon.RoleShop {
				if ca == "" {
					ca = l.CAFile
				}
				return l.URL, ca
			}
		}
		return "", ca
	}
	scheme := "tcp"
	if cfg.Broker.CertFile != "" {
		scheme = "ssl"
	}
	host, port, err := net.SplitHostPort(cfg.Broker.Listen)
	if err != nil {
		return "", ca
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}).String(), ca
}

func dialHint(cfg mqtt.TerminalConfig, err error) string {
	var op *net.OpError
	switch text := strings.ToLower(err.Error()); {
	case cfg.URL == "":
		return "the configuration has no broker for terminals: name one with --url"
	case strings.Contains(text, "not authorized"), strings.Contains(text, "bad user name"):
		// The client tries the older protocol after a refusal, and the answer to
		// that one hides the first.
		return "give --card with the terminal.json of a terminal (kassad terminal add makes one), or --user and --password-file"
	case strings.Contains(text, "certificate"):
		return "give --card with the terminal.json of a terminal (kassad terminal add makes one), or --ca-file with the certificate that signed the broker's"
	case errors.As(err, &op), strings.Contains(text, "network error"):
		return "is kassad running (kassad status)? --url names another broker"
	default:
		return "kassad doctor checks the broker; --url names another one"
	}
}

// hostOf is the host and port of a broker's URL.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}
