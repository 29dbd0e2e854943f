package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
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

// cli is the command tree. Each command's help ends with examples, and the
// examples are tests (testdata/script).
type cli struct {
	Run     runCommand     `cmd:"" help:"Serve the shop: terminals over MQTT, registers on their wires."`
	Demo    demoCommand    `cmd:"" help:"Show a shop selling, with no hardware."`
	Call    callCommand    `cmd:"" help:"Send one command over MQTT as a terminal and wait for its final answer."`
	Status  statusCommand  `cmd:"" help:"Tell how the running daemon, its devices and links are."`
	Doctor  doctorCommand  `cmd:"" help:"Check config, ports, printers, clock, disk and broker; each line is OK or a hint."`
	Spool   spoolCommand   `cmd:"" help:"Look into the journal of commands."`
	Resolve resolveCommand `cmd:"" help:"Decide about a command that is held."`
	Ports   portsCommand   `cmd:"" help:"List serial ports with their USB identity."`
	Probe   probeCommand   `cmd:"" help:"Find the printer and its speed on a named port."`
	Emulate emulateCommand `cmd:"" help:"Serve an emulated printer to anybody's driver."`
	Config  configCommand  `cmd:"" help:"Check, show or make the configuration."`
	Codes   codesCommand   `cmd:"" help:"List every code of refusal, condition and alert."`
	Version versionCommand `cmd:"" help:"Print the version."`
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

func (f configFlag) load() (daemon.Config, error) { return daemon.LoadConfig(f.Config) }

// hinted is an error that says what to try.
type hinted struct {
	err  error
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// run parses and executes one command line; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("kassad"),
		kong.Description("One sale, one fiscal document: POS terminals over MQTT, fiscal printers on their wires."),
		kong.Vars{"config": defaultConfigPath()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { exited = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, "kassad:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // help was asked for and printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "kassad: %v\ntry: kassad %s--help\n", err, commandPrefix(args))
		return exitUsage
	}
	return report(stderr, parsed.Run(&env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}))
}

// commandPrefix is the command of args with a space, so that the hint fits it.
func commandPrefix(args []string) string {
	if strings.HasPrefix(args[0], "-") {
		return ""
	}
	return args[0] + " "
}

// report prints why a command failed and what to try, and picks the status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var refused *fiscal.Error
	var h hinted
	switch {
	case errors.As(err, &refused):
		info := refused.Code.Info()
		fmt.Fprintf(stderr, "kassad: %v\n%s\ntry: %s\n", err, info.Russian, info.Action)
		return exitRefused
	case errors.As(err, &h):
		fmt.Fprintf(stderr, "kassad: %v\ntry: %s\n", err, h.hint)
	default:
		fmt.Fprintf(stderr, "kassad: %v\n", err)
	}
	return exitFailed
}

func defaultConfigPath() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(daemon.DefaultConfig().DataDir, "kassad.toml")
	}
	return "/etc/kassad/kassad.toml"
}
