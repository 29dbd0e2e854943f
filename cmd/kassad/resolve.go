package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"kassad/daemon"
	"kassad/fiscal"
)

// The decision about two nodes of one name is made with a word of its own.
const (
	resolveNode = "node"
	resolveKeep = "keep"
)

type resolveCommand struct {
	configFlag
	jsonFlag
	ID     string `arg:"" help:"Id of the held command, or the word node."`
	Action string `arg:"" help:"retry, as-correction, done-elsewhere or give-up; keep for node." enum:"retry,as-correction,done-elsewhere,give-up,keep"`
	By     string `help:"Who decides; it is kept and published." required:"" placeholder:"NAME"`
	FD     uint32 `name:"fd" help:"Number of the fiscal document that settles it (done-elsewhere, as-correction)." placeholder:"N"`
	Note   string `help:"Why, for those who read the audit." placeholder:"TEXT"`
}

// Help ends the help of resolve.
func (resolveCommand) Help() string {
	return `  retry           make the document after all: nobody has made it
  as-correction   a correction with this FD has been made instead
  done-elsewhere  the document with this FD is this sale
  give-up         leave it; nothing is claimed about a document
  node keep       two kassad run under one name: this one is the right one

Examples:
  kassad resolve 2026-11-22-0001 retry --by ivanov
  kassad resolve 2026-11-22-0001 done-elsewhere --fd 1042 --by ivanov --note 'found on the tape'
  kassad resolve 2026-11-22-0001 give-up --by ivanov --json
  kassad resolve node keep --by ivanov`
}

// Run hands the decision to the daemon.
func (c *resolveCommand) Run(e *env) error {
	body := map[string]any{"id": c.ID, "action": c.Action, "fd": c.FD, "note": c.Note}
	if (c.ID == resolveNode) != (c.Action == resolveKeep) {
		return hinted{err: fmt.Errorf("%s %s: node and keep go together", c.ID, c.Action), hint: "kassad resolve --help", status: exitUsage}
	}
	if c.ID == resolveNode {
		body = map[string]any{resolveNode: resolveKeep}
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	say := func(raw json.RawMessage) string { return c.ID + " " + describe(raw) }
	if c.ID == resolveNode {
		say = func(json.RawMessage) string { return "this node goes on" }
	}
	return decide(e, cfg, "resolve", c.By, body, c.JSON, say)
}

// decide hands a person's decision to the daemon, and prints what came of it.
func decide(e *env, cfg daemon.Config, op, by string, body map[string]any, asJSON bool, say func(json.RawMessage) string) error {
	raw, err := ask(e, cfg, op, by, body)
	var refused *fiscal.Error
	if errors.As(err, &refused) && refused.Code == fiscal.CodeNotFound {
		return hinted{err: fmt.Errorf("no command %s in the journal", body["id"]), hint: "kassad spool ls --state held lists what waits for a decision", status: exitRefused}
	}
	if err != nil {
		return mustRun(cfg, err)
	}
	if asJSON {
		return printJSON(e.stdout, raw)
	}
	_, err = fmt.Fprintln(e.stdout, say(raw))
	return err
}
