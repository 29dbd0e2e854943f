package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"text/tabwriter"

	"kassad/daemon"
	"kassad/fiscal"
	"kassad/spool"
)

type spoolCommand struct {
	Ls    spoolLs    `cmd:"" help:"List commands: those that are not final, or those of one state."`
	Show  spoolShow  `cmd:"" help:"Show all that is known of one command."`
	Check spoolCheck `cmd:"" help:"Walk the whole store and report what is wrong with it."`

	Format  spoolFormat  `cmd:"" help:"Tell the format of the store, and which backups there are."`
	Backup  spoolBackup  `cmd:"" help:"Write a copy of the store beside it, while selling goes on."`
	Restore spoolRestore `cmd:"" help:"Put a backup in the place of the store; the service must be stopped."`
}

// Help ends the help of spool.
func (spoolCommand) Help() string {
	return `The running daemon is asked; if none runs, the file is read here.

Examples:
  kassad spool ls
  kassad spool show 2026-11-22-0001
  kassad spool check
  kassad spool backup`
}

// querySpool asks the daemon, or reads the file that it left.
func querySpool(e *env, f configFlag, q daemon.SpoolQuery) (json.RawMessage, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	raw, err := ask(e, cfg, "spool", operator(), q)
	if !errors.Is(err, daemon.ErrNotRunning) {
		return raw, err
	}
	path := daemon.StorePath(cfg)
	if _, err := os.Stat(path); err != nil { // opening would create it
		return nil, hinted{err: err, hint: "data_dir has no journal yet: kassad run makes it, and --config names another configuration"}
	}
	if q.Action == "check" {
		faults, err := spool.Check(path)
		if err != nil {
			return nil, storeHint(err)
		}
		return json.Marshal(map[string]any{"faults": faults})
	}
	s, err := spool.Open(path, spool.Options{})
	if err != nil {
		return nil, storeHint(err)
	}
	defer s.Close()
	result, err := daemon.QuerySpool(s, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

func storeHint(err error) error {
	switch {
	case errors.Is(err, spool.ErrLocked):
		return hinted{err: err, hint: "a daemon is starting or stopping: ask again in a moment"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err: err, hint: "run this as the service's user or as root"}
	case errors.Is(err, spool.ErrDamaged):
		return hinted{err: err, hint: "keep a copy of the file, then start kassad: it goes on from the fiscal storage of the devices"}
	default:
		return err
	}
}

type spoolLs struct {
	configFlag
	jsonFlag
	State string `help:"Only this state: accepted, working, registered, unknown, held, done, rejected, cancelled or abandoned." enum:"accepted,working,registered,unknown,held,done,rejected,cancelled,abandoned," default:"" placeholder:"STATE"`
	Limit int    `help:"At most so many, the newest." default:"100" placeholder:"100"`
}

// Help ends the help of spool ls.
func (spoolLs) Help() string {
	return `Examples:
  kassad spool ls
  kassad spool ls --state held
  kassad spool ls --state done --limit 20 --json`
}

// Run lists commands.
func (c *spoolLs) Run(e *env) error {
	raw, err := querySpool(e, c.configFlag, daemon.SpoolQuery{Action: "ls", State: c.State, Limit: c.Limit})
	if err != nil {
		return err
	}
	var records []fiscal.Record
	if err := json.Unmarshal(raw, &records); err != nil {
		return fmt.Errorf("spool ls: %w", err)
	}
	if c.JSON {
		if records == nil {
			raw = json.RawMessage("[]")
		}
		return printJSON(e.stdout, raw)
	}
	t := newTable(e.stdout, "SEQ", "ID", "VERB", "DEVICE", "TERMINAL", "STATE", "ACCEPTED", "FD", "TOTAL", "WHY")
	for _, r := range records {
		t.row(strconv.FormatUint(r.Seq, 10), r.ID, string(r.Verb), r.Device, r.Terminal, string(r.State), local(r.AcceptedAt), documentNumber(r), total(r), why(r))
	}
	return t.flush()
}

func documentNumber(r fiscal.Record) string {
	if r.Receipt == nil || r.Receipt.FD == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(r.Receipt.FD), 10)
}

func total(r fiscal.Record) string {
	switch {
	case r.Verb.Receipt():
		return r.Document.Total.String()
	case r.Verb.Class() == fiscal.ClassRecord:
		return r.Document.Amount.String()
	default:
		return ""
	}
}

// why is the code that a command waits for, is held by or was refused with.
func why(r fiscal.Record) string {
	switch {
	case r.Error != nil:
		return string(r.Error.Code)
	case r.Waiting != nil:
		return string(r.Waiting.Code)
	case r.Recovered:
		return "recovered"
	default:
		return ""
	}
}

type spoolShow struct {
	configFlag
	jsonFlag
	ID string `arg:"" help:"Id of the command."`
}

// Help ends the help of spool show.
func (spoolShow) Help() string {
	return `Examples:
  kassad spool show 2026-11-22-0001
  kassad spool show 2026-11-22-0001 --json`
}

// Run shows one command.
func (c *spoolShow) Run(e *env) error {
	raw, err := querySpool(e, c.configFlag, daemon.SpoolQuery{Action: "show", ID: c.ID})
	if err != nil {
		var refused *fiscal.Error
		if errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound {
			return hinted{err: fmt.Errorf("no command %s in the journal", c.ID), hint: "kassad spool ls lists the ids", status: exitRefused}
		}
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, raw)
	}
	var r fiscal.Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("spool show: %w", err)
	}
	return printRecord(e.stdout, r)
}

// printRecord prints what is known, a fact a line.
func printRecord(w io.Writer, r fiscal.Record) error {
	t := tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0)
	fact := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	fact("id", "%s", r.ID)
	fact("command", "%s from %s for %s", r.Verb, orNobody(r.Terminal), r.Device)
	fact("state", "%s after %d answers and %d attempts", r.State, r.N, r.Attempt)
	fact("settled", "%s, accepted %s, final %s", orNever(local(r.Document.At)), orNever(local(r.AcceptedAt)), orNever(local(r.FinalAt)))
	for _, l := range r.Document.Lines {
		fact("item", "%s × %s = %s (%s)", l.Name, l.Quantity, l.Sum, l.VAT)
	}
	if s := total(r); s != "" {
		fact("total", "%s", s)
	}
	if d := r.Receipt; d != nil && d.FD == 0 && d.InCloud() {
		fact("document", "of %s, which has not told FN and FD", r.Device)
	} else if d != nil {
		fact("document", "FD %d, FP %d, FN %s, shift %d, receipt %d, %s by the device's clock", d.FD, d.Sign, d.Storage, d.Shift, d.Number, d.At.Format(shortTime))
	}
	if r.Ticket != "" {
		fact("ticket", "%s in %s", r.Ticket, r.Device)
	}
	if d := r.Receipt; d != nil && d.URL != "" {
		fact("receipt", "%s", d.URL)
	}
	if r.Waiting != nil {
		fact("waiting", "%s; %s", r.Waiting, r.Waiting.Code.Info().Action)
	}
	if r.Error != nil {
		fact("error", "%s; %s", r.Error, r.Error.Code.Info().Action)
	}
	if d := r.Resolved; d != nil {
		fact("resolved", "%s by %s, %s %s", d.Action, d.By, local(d.At), d.Note)
	}
	if r.Decidable() {
		fact("decide", "kassad resolve %s retry|as-correction|done-elsewhere|give-up --by NAME", r.ID)
	}
	return t.Flush()
}

func orNobody(name string) string {
	if name == "" {
		return "kassad itself"
	}
	return name
}

func orNever(at string) string {
	if at == "" {
		return "not yet"
	}
	return at
}

type spoolCheck struct {
	configFlag
	jsonFlag
}

// Help ends the help of spool check.
func (spoolCheck) Help() string {
	return `Nothing is changed. Exit status: 0 if nothing is wrong, 1 otherwise.

Examples:
  kassad spool check
  kassad spool check --json`
}

// faultRow is a fault as scripts read it.
type faultRow struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Text   string `json:"text"`
}

// Run walks the store.
func (c *spoolCheck) Run(e *env) error {
	raw, err := querySpool(e, c.configFlag, daemon.SpoolQuery{Action: "check"})
	if err != nil {
		return err
	}
	var result struct {
		Faults []faultRow `json:"faults"`
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("spool check: %w", err)
	}
	switch {
	case c.JSON:
		if result.Faults == nil {
			result.Faults = []faultRow{}
		}
		err = printJSON(e.stdout, result)
	case len(result.Faults) == 0:
		_, err = fmt.Fprintln(e.stdout, "OK")
	default:
		t := newTable(e.stdout, "BUCKET", "KEY", "FAULT")
		for _, f := range result.Faults {
			t.row(f.Bucket, f.Key, f.Text)
		}
		err = t.flush()
	}
	if err == nil && len(result.Faults) > 0 {
		return hinted{err: fmt.Errorf("%d faults in the store", len(result.Faults)), hint: "keep a copy of the file and report this; the fiscal storage of the devices has every document"}
	}
	return err
}
