package mqtt

import (
	"cmp"
	"strconv"
	"time"

	"kassad/fiscal"
)

// Limits of an envelope.
const (
	envelopeVersion = 1
	waitMax         = 24 * time.Hour
)

// Command is a decoded request of a terminal. Draft is set for the verbs that
// are journalled; resolving it makes the document.
type Command struct {
	V      int
	ID     string
	At     time.Time     // when the buyer settled
	Exp    time.Time     // acceptance ends; zero: never
	Wait   time.Duration // how long a condition may hold it up; 0: for ever
	Route  string        // "": the terminal's
	Device string        // "": the terminal's
	Verb   fiscal.Verb
	Hash   string // SHA-256 of verb, device or route, and body, in hex

	Draft  fiscal.Draft
	Target string // query, cancel: the id asked about
	FD     uint32 // document
	Since  Since  // sync
}

// Since is where a sync begins: after a time or after a sequence number.
type Since struct {
	At  time.Time
	Seq uint64 // if At is zero
}

// envelope is what all requests have in common. Terminals do not send by, and
// management does not send the times and names of a sale.
type envelope struct {
	Command
	by   string
	body *jsonValue
}

var (
	versionField = field[envelope]{"v", true, func(b *binder, v *jsonValue, e *envelope) {
		e.V = int(b.whole(v, envelopeVersion, envelopeVersion))
	}}
	idField   = field[envelope]{"id", true, func(b *binder, v *jsonValue, e *envelope) { e.ID = b.id(v) }}
	bodyField = field[envelope]{"body", false, func(b *binder, v *jsonValue, e *envelope) {
		if b.expect(v, jsonObject) {
			e.body = v
		}
	}}
	expField = field[envelope]{"exp", false, func(b *binder, v *jsonValue, e *envelope) { e.Exp = b.instant(v) }}

	commandEnvelope = []field[envelope]{
		versionField, idField, bodyField, expField,
		{"at", false, func(b *binder, v *jsonValue, e *envelope) { e.At = b.instant(v) }},
		{"wait", false, func(b *binder, v *jsonValue, e *envelope) { e.Wait = b.wait(v) }},
		{"route", false, func(b *binder, v *jsonValue, e *envelope) { e.Route = b.name(v) }},
		{"device", false, func(b *binder, v *jsonValue, e *envelope) { e.Device = b.name(v) }},
	}
)

func (b *binder) wait(v *jsonValue) time.Duration {
	s := b.text(v)
	d, err := time.ParseDuration(s)
	if v.kind == jsonString && (err != nil || d <= 0 || d > waitMax) {
		b.fail(fiscal.CodeBadValue, errWait.Error())
		return 0
	}
	return d
}

// DecodeCommand reads the request of a terminal strictly: every field is known
// and well-formed, or the command is refused. A refused command carries its id
// if one could be read, so that the answer can name it.
func DecodeCommand(verb string, payload []byte) (Command, *fiscal.Error) {
	root, err := parseRequest(payload)
	if err != nil {
		return Command{Verb: fiscal.Verb(verb), ID: root.readableID()}, err
	}
	b := &binder{}
	e := &envelope{Command: Command{Verb: fiscal.Verb(verb)}}
	bindObject(b, &root, commandEnvelope, e)
	if b.err == nil {
		e.bindBody(b)
	}
	if b.err != nil {
		return Command{Verb: fiscal.Verb(verb), ID: root.readableID()}, b.err
	}
	e.Hash = canonicalHash(e.Verb, cmp.Or(e.Device, e.Route), e.body)
	e.Draft.ID, e.Draft.Verb, e.Draft.At = e.ID, e.Verb, e.At
	return e.Command, nil
}

// idBytesWithin bounds where the id of a request that is too large is looked
// for: no broker with sensible limits lets a larger one through.
const idBytesWithin = 1 << 20

// parseRequest parses a payload. What is too large is refused, with its id if
// that can be read without much work: the terminal waits for it by id.
func parseRequest(payload []byte) (jsonValue, *fiscal.Error) {
	if len(payload) <= linkPayloadBytesMax {
		return parseJSON(payload)
	}
	var root jsonValue
	if len(payload) <= idBytesWithin {
		root, _ = parseJSON(payload)
	}
	return root, fiscal.Refuse(fiscal.CodeTooLarge, "", "at most 256 KiB")
}

// readableID is the id of a request that is otherwise broken, or "".
func (v *jsonValue) readableID() string {
	if id := v.member("id"); id != nil && id.kind == jsonString && ValidID(id.text) {
		return id.text
	}
	return ""
}

// bindBody checks what the verb asks of the envelope, and reads its body.
func (e *envelope) bindBody(b *binder) {
	class := e.Verb.Class()
	names := class == fiscal.ClassPrint || e.Verb.Document() || e.Verb == fiscal.VerbCounters ||
		e.Verb == fiscal.VerbDocument || e.Verb == fiscal.VerbStatus
	switch {
	case class == 0:
		b.err = fiscal.Refuse(fiscal.CodeUnknownVerb, "", strconv.Quote(clip(string(e.Verb))))
	case e.Verb.Document() && e.At.IsZero():
		b.err = fiscal.Refuse(fiscal.CodeBadValue, "at", "required: when the buyer settled")
	case e.Route != "" && !names:
		b.err = fiscal.Refuse(fiscal.CodeBadValue, "route", "this verb names no route")
	case e.Device != "" && !names:
		b.err = fiscal.Refuse(fiscal.CodeBadValue, "device", "this verb names no device")
	case e.Route != "" && e.Device != "" && e.Route != e.Device: // a device is a route of one
		b.err = fiscal.Refuse(fiscal.CodeBadValue, "device", "route and device name two places")
	case !e.Verb.Journalled():
		b.enter("body") // an id of the body is not the envelope's
	}
	if b.err != nil {
		return
	}
	body := e.body
	if body == nil {
		body = &jsonValue{kind: jsonObject}
	}
	bindObject(b, body, bodyOf(e.Verb), &e.Command)
}
