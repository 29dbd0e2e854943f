package main

import "encoding/json"

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
	body := map[string]any{"id": c.ID, "confirmed": c.Confirmed, "note": c.Note}
	return decide(e, cfg, "bifit-reload", c.By, body, c.JSON, func(raw json.RawMessage) string { return c.ID + " " + describe(raw) })
}
