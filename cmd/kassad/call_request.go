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

// complete makes an envelope of what the user wrote: a body, or an envelope,
// which is known by its own fields. What is there stays as it is, so that the
// daemon, not this command, judges it.
func complete(text []byte, id, device string, now time.Time) (request, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(text, &given); err != nil {
		return request{}, fiscal.Refuse(fiscal.CodeBadJSON, "", err.Error())
	}
	envelope := given
	_, body := given["body"]
	_, versioned := given["v"]
	if !body && !versioned {
		envelope = map[string]json.RawMessage{"body": json.RawMessage(text)}
	}
	set := func(name, value string) {
		quoted, _ := json.Marshal(value) // a string always marshals
		envelope[name] = quoted
	}
	if id != "" {
		set("id", id)
	}
	if device != "" {
		set("device", device)
	}
	if _, there := envelope["v"]; !there {
		envelope["v"] = json.RawMessage("1")
	}
	if _, there := envelope["id"]; !there {
		fresh, err := uuid.NewV7()
		if err != nil {
			return request{}, err
		}
		set("id", fresh.String())
	}
	if _, there := envelope["at"]; !there {
		set("at", now.Format(time.RFC3339))
	}
	var r request
	if json.Unmarshal(envelope["id"], &r.id) != nil || !mqtt.ValidID(r.id) {
		return request{}, fiscal.Refuse(fiscal.CodeBadValue, "id", "1 to 64 of A-Za-z0-9._:-")
	}
	var err error
	r.payload, err = json.Marshal(envelope)
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
		s += fmt.Sprintf(": shift %d", f.Shift)
		if f.FD != 0 { // cash in and out make no fiscal document
			s += fmt.Sprintf(", FD %d, FP %s", f.FD, f.FP)
		}
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
