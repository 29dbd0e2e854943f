package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"kassad/daemon"
	"kassad/fiscal"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1 // the command was understood and did not succeed
	exitUsage   = 2 // the command was not understood
	exitRefused = 3 // kassad answered with a refusal
)

// helpWidth is the longest line of a help text.
const helpWidth = 100

// cli is the command tree. Each command's help ends with examples, and the
// examples are tests (testdata/script).
type cli struct {
	Run       runCommand       `cmd:"" help:"Serve the shop: terminals over MQTT, registers on their wires."`
	Demo      demoCommand      `cmd:"" help:"Show a shop selling, with no hardware."`
	Call      callCommand      `cmd:"" help:"Send one command over MQTT as a terminal and wait for its final answer."`
	Status    statusCommand    `cmd:"" help:"Tell how the running daemon, its devices and links are."`
	Doctor    doctorCommand    `cmd:"" help:"Check config, ports, printers, clock, disk and broker; each line is OK or a hint."`
	Spool     spoolCommand     `cmd:"" help:"Look into the journal of commands."`
	Reconcile reconcileCommand `cmd:"" help:"Hold the journal against printers, clouds and an independent book."`
	Resolve   resolveCommand   `cmd:"" help:"Decide about a command that is held."`
	Reload    reloadCommand    `cmd:"" name:"bifit-reload" help:"Tell BIFIT to try a failed document once more."`
	Ports     portsCommand     `cmd:"" help:"List the places where a printer may be, with who uses them; nothing is opened."`
	Probe     probeCommand     `cmd:"" help:"Find the printer, on all ports or on a named one."`
	Emulate   emulateCommand   `cmd:"" help:"Serve an emulated printer or cloud to anybody's driver."`
	Relay     relayCommand     `cmd:"" help:"On a public host: pass the callbacks of LIFE PAY on to the shops, over MQTT."`
	Setup     setupCommand     `cmd:"" help:"The first hour: find the printer, write the configuration, let terminals in, install the service."`
	Terminal  terminalCommand  `cmd:"" help:"Let terminals in: passwords, rights, files and QR codes for them."`
	Support   supportCommand   `cmd:"" help:"Put what support needs into one archive, without secrets."`
	Service   serviceCommand   `cmd:"" help:"Install kassad as a service of the system, start and stop it."`
	Config    configCommand    `cmd:"" help:"Check, show or make the configuration."`
	Codes     codesCommand     `cmd:"" help:"List every code of refusal, condition and alert."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// Help is the end of kassad --help.
func (cli) Help() string {
	return `Exit status: 0 done, 1 failed, 2 not understood, 3 refused by kassad.

Examples:
  kassad demo                          # a shop sells, with no hardware
  kassad setup                         # in a shop, with the printer plugged in
  kassad config init > kassad.toml     # a sample to start from
  kassad run --config kassad.toml
  kassad call sale sale.json`
}

// env is what a command may use of the world.
type env struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// configFlag is shared by the commands that need the shop's configuration.
type configFlag struct {
	Config string `short:"c" help:"Configuration file." env:"KASSAD_CONFIG" default:"${config}" placeholder:"FILE"`
}

func (f configFlag) load() (daemon.Config, error) {
	cfg, err := daemon.LoadConfig(f.Config)
	if err != nil {
		return cfg, hinted{err: err, hint: configHint(f.Config, err)}
	}
	return cfg, nil
}

// configHint is what to try with a configuration that is not read.
func configHint(file string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return withRights()
	case !exists(file):
		return "kassad setup writes one; kassad config init > kassad.toml makes a commented sample; --config FILE names another file"
	default:
		return "mend " + file + "; kassad config init prints a sample that explains every key"
	}
}

// withRights is the way to the rights that were missing.
func withRights() string {
	if runtime.GOOS == "windows" {
		return "the same in a console that was opened as administrator"
	}
	return "the same with sudo"
}

// jsonFlag is shared by the commands that a script may read.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON for a script; -json works too."`
}

// hinted is an error that says what to try.
type hinted struct {
	err    error
	hint   string
	status int    // 0 for exitFailed
	try    string // the word before the hint, in the language of who asked; "" for "try"
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// run parses and executes one command line; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("kassad"),
		kong.Description("One sale, one fiscal document: POS terminals over MQTT, fiscal printers on their wires, clouds behind them."),
		kong.Vars{"config": defaultConfigPath()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { exited = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
		kong.Help(printHelp),
	)
	if err != nil {
		fmt.Fprintln(stderr, "kassad:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(longFlags(args))
	if exited >= 0 { // help was asked for and printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "kassad: %v\ntry: %s --help\n", err, misread(err))
		return exitUsage
	}
	return report(stderr, parsed.Run(&env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}))
}

// longFlags lets -json stand for --json, as Go programs write it; the parser
// would read it as four short flags.
func longFlags(args []string) []string {
	args = slices.Clone(args)
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "-json" {
			args[i] = "--json"
		}
	}
	return args
}

// printHelp puts the examples at the end, where the eye falls, and keeps their
// lines as they are.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	detail := node.Detail
	node.Detail = ""
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || detail == "" {
		return err
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\n%s\n", strings.TrimSpace(detail))
	return err
}

// misread names the command that the parser had reached.
func misread(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if node := p.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "kassad"
}

// report prints why a command failed and what to try, and picks the status.
func report(stderr io.Writer, err error) int {
	var refused *fiscal.Error
	var h hinted
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &h):
		fmt.Fprintf(stderr, "kassad: %v\n%s: %s\n", err, cmp.Or(h.try, "try"), h.hint)
		return max(h.status, exitFailed)
	case errors.As(err, &refused):
		fmt.Fprintf(stderr, "kassad: %v\n", err)
		if info := refused.Code.Info(); info.Code != "" {
			fmt.Fprintf(stderr, "%s\ntry: %s\n", info.Russian, info.Action)
		}
		return exitRefused
	default:
		fmt.Fprintf(stderr, "kassad: %v\n", err)
		return exitFailed
	}
}

func defaultConfigPath() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(daemon.DefaultConfig().DataDir, "kassad.toml")
	}
	return "/etc/kassad/kassad.toml"
}

// operator is who asks, for the audit.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "cli"
}
