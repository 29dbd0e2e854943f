package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"kassad/fiscal"
	"kassad/mqtt"
)

// request is a command ready to be sent.
type request struct {
	id      string
	payload []byte
}

// envelope is a command by its top-level fields; what the user wrote in them
// stays as it is, so that the daemon, not this command, judges it.
type envelope map[string]json.RawMessage

// wrap takes what the user wrote for a body, or for an envelope, which is known
// by its own fields.
func wrap(text []byte) (envelope, error) {
	var given envelope
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, fiscal.Refuse(fiscal.CodeBadJSON, "", err.Error())
	}
	if given.has("body") || given.has("v") {
		return given, nil
	}
	return envelope{"body": json.RawMessage(text)}, nil
}

func (e envelope) has(name string) bool {
	_, there := e[name]
	return there
}

func (e envelope) set(name, value string) {
	e[name], _ = json.Marshal(value) // a string always marshals
}

// complete makes a command of what the user wrote and fills in what is missing.
func complete(text []byte, id, device string, now time.Time) (request, error) {
	e, err := wrap(text)
	if err != nil {
		return request{}, err
	}
	if id == "" && !e.has("id") {
		fresh, err := uuid.NewV7()
		if err != nil {
			return request{}, err
		}
		id = fresh.String()
	}
	if id != "" {
		e.set("id", id)
	}
	if device != "" {
		e.set("device", device)
	}
	if !e.has("v") {
		e["v"] = json.RawMessage("1")
	}
	if !e.has("at") {
		e.set("at", now.Format(time.RFC3339))
	}
	var r request
	if json.Unmarshal(e["id"], &r.id) != nil || !mqtt.ValidID(r.id) {
		return request{}, fiscal.Refuse(fiscal.CodeBadValue, "id", "1 to 64 of A-Za-z0-9._:-")
	}
	r.payload, err = json.Marshal(e)
	return r, err
}

// answer is what the command line looks at in an answer.
type answer struct {
	State  fiscal.State `json:"state"`
	Dup    bool         `json:"dup"`
	Verb   fiscal.Verb  `json:"verb"`
	ID     string       `json:"id"`
	Fiscal *struct {
		FD      uint32       `json:"fd"`
		FP      string       `json:"fp"`
		Shift   uint32       `json:"shift"`
		Receipt uint32       `json:"receipt"`
		Total   *json.Number `json:"total"`
		Change  *json.Number `json:"change"`
	} `json:"fiscal"`
	Waiting *mqtt.Problem `json:"waiting"`
	Error   *mqtt.Problem `json:"error"`
	Printed string        `json:"printed"`
}

// describe says an answer in one line.
func describe(payload []byte) string {
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return "unreadable answer: " + err.Error()
	}
	s := string(a.State)
	if a.Dup {
		s += " (answered before)"
	}
	if f := a.Fiscal; f != nil {
		s += ": " + documentOf(f.Shift, f.FD, f.FP)
		if f.Total != nil {
			s += ", total " + f.Total.String()
		}
		if f.Change != nil && *f.Change != "0.00" {
			s += ", change " + f.Change.String()
		}
	}
	if a.Printed != "" {
		s += ", paper " + a.Printed
	}
	return s + problem("waiting for ", a.Waiting) + problem("", a.Error)
}

// documentOf names a document by what is known of it: cash in and out make no
// fiscal document, and a cloud may not tell of its own.
func documentOf(shift, fd uint32, fp string) string {
	switch {
	case fd != 0:
		return fmt.Sprintf("shift %d, FD %d, FP %s", shift, fd, fp)
	case shift != 0:
		return fmt.Sprintf("shift %d", shift)
	default:
		return "made"
	}
}

// problem says a condition or a refusal in half a line.
func problem(prefix string, p *mqtt.Problem) string {
	if p == nil {
		return ""
	}
	s := ": " + prefix + string(p.Code)
	for _, part := range []string{p.Vendor, p.Field, p.Detail} {
		if part != "" {
			s += " " + part
		}
	}
	if p.Text != "" {
		s += ": " + p.Text
	}
	return s
}

// verdict turns the last answer into an exit status.
func verdict(payload []byte) error {
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	switch {
	case a.State == fiscal.Done:
		return nil
	case a.State == fiscal.Held:
		return hinted{
			err:  fmt.Errorf("%s %s is held: a person decides", a.Verb, a.ID),
			hint: fmt.Sprintf("kassad spool show %s tells why; kassad resolve %s retry --by NAME (or another action) ends it", a.ID, a.ID),
		}
	case a.Error != nil:
		return hinted{err: fmt.Errorf("%s is %s%s", a.Verb, a.State, problem("", a.Error)), hint: a.Error.Action, status: exitRefused}
	default:
		return hinted{err: fmt.Errorf("%s is %s", a.Verb, a.State), hint: "kassad spool show " + a.ID + " tells its history", status: exitRefused}
	}
}
