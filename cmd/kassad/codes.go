package main

import "kassad/fiscal"

type codesCommand struct{ jsonFlag }

// Help ends the help of codes.
func (codesCommand) Help() string {
	return `What each nature does to a command:
  content    the command is wrong; it ends as rejected
  condition  the command waits until the condition heals
  doubt      a person decides: the command is held
  notice     an alert; no command fails of it

Examples:
  kassad codes
  kassad codes --json`
}

// codeRow is a code as scripts read it.
type codeRow struct {
	Code    fiscal.Code `json:"code"`
	Nature  string      `json:"nature"`
	Text    string      `json:"text"`
	Message string      `json:"message"`
	Action  string      `json:"action"`
}

func natureName(n fiscal.Nature) string {
	switch n {
	case fiscal.Content:
		return "content"
	case fiscal.Condition:
		return "condition"
	case fiscal.Doubt:
		return "doubt"
	default:
		return "notice"
	}
}

// Run prints the table of codes.
func (c *codesCommand) Run(e *env) error {
	var rows []codeRow
	for _, i := range fiscal.Codes() {
		rows = append(rows, codeRow{i.Code, natureName(i.Nature), i.Russian, i.English, i.Action})
	}
	if c.JSON {
		return printJSON(e.stdout, rows)
	}
	t := newTable(e.stdout, "CODE", "NATURE", "RUSSIAN", "ENGLISH")
	for _, r := range rows {
		t.row(string(r.Code), r.Nature, r.Text, r.Message)
	}
	return t.flush()
}
