package main

import (
	"errors"
	"fmt"

	"kassad/fiscal"
)

type reloadCommand struct {
	configFlag
	jsonFlag
	ID        string `arg:"" help:"Id of the held command."`
	By        string `help:"Who decides; it is kept and published." required:"" placeholder:"NAME"`
	Confirmed bool   `help:"You have seen in the cabinet and at the OFD that no fiscal document of this command exists."`
	Note      string `help:"Why, for those who read the audit." placeholder:"TEXT"`
}

// Help ends the help of bifit-reload.
func (reloadCommand) Help() string {
	return `A document that the service could not make keeps its number there and is put into the queue again. If the
register's answer was lost, the document may exist already: look before you confirm.

Examples:
  kassad bifit-reload 2026-11-22-0001 --by ivanov --confirmed
  kassad bifit-reload 2026-11-22-0001 --by ivanov --confirmed --note 'register replaced' --json`
}

// Run hands the decision to the daemon.
func (c *reloadCommand) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	raw, err := ask(e, cfg, "bifit-reload", c.By, map[string]any{"id": c.ID, "confirmed": c.Confirmed, "note": c.Note})
	var refused *fiscal.Error
	if errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound {
		return hinted{err: fmt.Errorf("no command %s in the journal", c.ID), hint: "kassad spool ls --state held lists what waits for a decision", status: exitRefused}
	}
	if err != nil {
		return mustRun(cfg, err)
	}
	if c.JSON {
		return printJSON(e.stdout, raw)
	}
	_, err = fmt.Fprintf(e.stdout, "%s %s\n", c.ID, describe(raw))
	return err
}
