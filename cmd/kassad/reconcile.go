package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"kassad/daemon"
	"kassad/daemon/book"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

type reconcileCommand struct {
	configFlag
	jsonFlag
	CSV     bool              `name:"csv" help:"Print a table for a spreadsheet, in Russian: semicolons, decimal commas."`
	Device  string            `help:"Only this device or cloud." placeholder:"NAME"`
	Shift   uint32            `help:"Only this shift of the device." placeholder:"N"`
	Since   string            `help:"From this day or time on; 24 hours ago when absent." placeholder:"DAY"`
	Until   string            `help:"To the end of this day, or to this time; now when absent." placeholder:"DAY"`
	Import  string            `help:"Hold the journal against this export of a cabinet or of an operator (CSV)." type:"path" placeholder:"FILE"`
	Columns map[string]string `help:"Titles of its columns, over those of the configuration." mapsep:"," placeholder:"FIELD=TITLE,..."`
	List    bool              `help:"List the reports that are kept."`
	Show    string            `help:"Show a kept report; the word last is the newest." placeholder:"ID"`
}

// Help ends the help of reconcile.
func (reconcileCommand) Help() string {
	return `The journal is held against the counters and the documents of each fiscal storage, and against what
each cloud has confirmed. Only an import is an independent book; the report says which it was.

Exit status: 0 if everything agrees, 1 if something differs or could not be read.

Examples:
  kassad reconcile
  kassad reconcile --device front --shift 1
  kassad reconcile --since 2026-11-01 --until 2026-11-30 --json
  kassad reconcile --import november.csv
  kassad reconcile --import ofd.csv --columns total=Sum,fd=Number
  kassad reconcile --list
  kassad reconcile --show last --csv > report.csv`
}

// Run makes a report, or shows what is kept.
func (c *reconcileCommand) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	switch {
	case c.List:
		return c.list(e, cfg)
	case c.Show != "":
		raw, err := c.kept(e, cfg, daemon.ReconcileRequest{ID: c.Show, Full: true})
		return c.show(e, raw, err)
	case c.Import != "":
		raw, err := c.imported(e, cfg)
		return c.show(e, raw, err)
	}
	raw, err := withProgress(e, cfg, func() (json.RawMessage, error) {
		return ask(e, cfg, "reconcile", operator(), daemon.ReconcileRequest{Device: c.Device, Shift: c.Shift, Since: c.Since, Until: c.Until, Full: true})
	})
	return c.show(e, raw, mustRun(cfg, err))
}

// check refuses flags that do not go together.
func (c *reconcileCommand) check() error {
	chosen := 0
	for _, set := range []bool{c.List, c.Show != "", c.Import != "", c.Shift != 0} {
		if set {
			chosen++
		}
	}
	kept := c.List || c.Show != ""
	switch {
	case chosen > 1:
		return usage("--list, --show, --import and --shift are one each")
	case kept && (c.Device != "" || c.Since != "" || c.Until != ""):
		return usage("a kept report has its device and period already")
	case len(c.Columns) > 0 && c.Import == "":
		return usage("--columns are those of --import")
	case c.JSON && c.CSV:
		return usage("--json or --csv, not both")
	case c.Shift != 0 && (c.Since != "" || c.Until != ""):
		return usage("a shift or a period, not both")
	}
	return nil
}

func usage(why string) error {
	return hinted{err: errors.New(why), hint: "kassad reconcile --help", status: exitUsage}
}

// imported sends a book to the daemon, which has the journal.
func (c *reconcileCommand) imported(e *env, cfg daemon.Config) (json.RawMessage, error) {
	text, err := readBook(c.Import)
	if err != nil {
		return nil, err
	}
	raw, err := withProgress(e, cfg, func() (json.RawMessage, error) {
		return ask(e, cfg, "reconcile-import", operator(), daemon.ReconcileImport{
			Device: c.Device, Since: c.Since, Until: c.Until, File: c.Import, Text: text, Columns: c.Columns,
		})
	})
	var refused *fiscal.Error
	if errors.As(err, &refused) && refused.Code == fiscal.CodeBadRequest {
		hint := "correct the line, or name the columns with --columns or [reconcile] import_columns"
		if refused.Field == "since" || refused.Field == "until" {
			hint = "--since 2026-11-01 --until 2026-11-30 names a period"
		}
		return nil, hinted{err: fmt.Errorf("%s: %w", c.Import, err), hint: hint, status: exitRefused}
	}
	return raw, mustRun(cfg, err)
}

func readBook(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hinted{err: err, hint: "give the CSV file that the cabinet or the operator of fiscal data exports"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, book.SizeMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("import: %w", err)
	case len(text) > book.SizeMax:
		return nil, hinted{err: fmt.Errorf("%s has more than %d MiB", path, book.SizeMax>>20), hint: "export a shorter period"}
	}
	return text, nil
}

// kept asks the daemon for what is stored, or reads the file that it left.
func (c *reconcileCommand) kept(e *env, cfg daemon.Config, req daemon.ReconcileRequest) (json.RawMessage, error) {
	raw, err := ask(e, cfg, "reconcile", operator(), req)
	if errors.Is(err, daemon.ErrNotRunning) {
		raw, err = fromFile(cfg, func(s *spool.Spool) (any, error) { return daemon.QueryReports(s, req) })
	}
	var refused *fiscal.Error
	if errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound {
		return nil, hinted{err: fmt.Errorf("no report %s", req.ID), hint: "kassad reconcile --list lists the reports", status: exitRefused}
	}
	return raw, err
}

// fromFile reads the store of a daemon that does not run.
func fromFile(cfg daemon.Config, query func(*spool.Spool) (any, error)) (json.RawMessage, error) {
	path := daemon.StorePath(cfg)
	if _, err := os.Stat(path); err != nil { // opening would create it
		return nil, hinted{err: err, hint: "data_dir has no journal yet: kassad run makes it, and --config names another configuration"}
	}
	s, err := spool.Open(path, spool.Options{})
	if err != nil {
		return nil, storeHint(err)
	}
	defer s.Close()
	result, err := query(s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// show prints a report and tells by the status whether it agrees.
func (c *reconcileCommand) show(e *env, raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	var r mqtt.Reconciliation
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	switch {
	case c.JSON:
		err = printJSON(e.stdout, raw)
	case c.CSV:
		err = writeReportCSV(e.stdout, r)
	default:
		err = printReport(e.stdout, r)
	}
	if err != nil || r.Agrees {
		return err
	}
	differences := 0
	for _, p := range r.Parts {
		differences += len(p.Differences)
	}
	if differences == 0 {
		return hinted{err: fmt.Errorf("report %s is incomplete", r.ID), hint: "read its notes; ask again when the device answers"}
	}
	return hinted{err: fmt.Errorf("%d differences in report %s", differences, r.ID), hint: "docs/reconciliation.md says what each code means and what to do"}
}

func (c *reconcileCommand) list(e *env, cfg daemon.Config) error {
	raw, err := c.kept(e, cfg, daemon.ReconcileRequest{List: true})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, raw)
	}
	var result struct {
		Reports []mqtt.ReconciliationItem `json:"reports"`
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("reconcile --list: %w", err)
	}
	if c.CSV {
		return writeListCSV(e.stdout, result.Reports)
	}
	t := newTable(e.stdout, "ID", "AT", "WHY", "BY", "ABOUT", "AGREES", "DIFFERENCES", "UNCONFIRMED")
	for _, r := range result.Reports {
		t.row(r.ID, local(time.Time(r.At)), string(r.Why), r.By, about(r.Device, r.Shift, r.Since, r.Until), yesNo(r.Agrees), fmt.Sprint(r.Differences), fmt.Sprint(r.Unconfirmed))
	}
	return t.flush()
}

// progressEvery is how often a long report tells how far it is.
const progressEvery = 2 * time.Second

// withProgress tells on stderr how far the daemon is while it works.
func withProgress(e *env, cfg daemon.Config, work func() (json.RawMessage, error)) (json.RawMessage, error) {
	ctx, cancel := context.WithCancel(e.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tellProgress(ctx, e.stderr, func() (*daemon.ReconcileProgress, error) { return daemon.ControlProgress(ctx, cfg) }, progressEvery)
	}()
	raw, err := work()
	cancel()
	<-ended
	return raw, err
}

// tellProgress prints what has changed, until ctx ends.
func tellProgress(ctx context.Context, w io.Writer, progress func() (*daemon.ReconcileProgress, error), every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := daemon.ReconcileProgress{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ctx.Err() != nil { // select is free to take the tick of an ended report
			return
		}
		p, err := progress()
		if err != nil || p == nil || *p == last {
			continue
		}
		last = *p
		fmt.Fprintf(w, "%s: %d", p.Backend, p.Read)
		if p.Total > 0 {
			fmt.Fprintf(w, " of %d", p.Total)
		}
		if p.Shift > 0 {
			fmt.Fprintf(w, " documents of shift %d", p.Shift)
		} else {
			fmt.Fprint(w, " questions")
		}
		fmt.Fprintln(w, " …")
	}
}
