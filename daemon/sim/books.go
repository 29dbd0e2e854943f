package sim

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"kassad/devices/emul/fn"
	"kassad/fiscal"
)

// Told is what a terminal was told last about a command.
type Told struct {
	Terminal string
	ID       string
	Verb     fiscal.Verb
	State    fiscal.State
	FN       string
	FD       uint32
	Total    fiscal.Money
	Conflict string // a final answer that contradicts an earlier final one

	accepted bool // the State is a command's, not a refused message's
}

// Books are the three accounts of one business day.
type Books struct {
	Told    []Told
	Journal []fiscal.Record
	Ledgers map[string][]fn.Entry // by FN serial, of printers and clouds
	// Tickets says which document ("FN/FD") each document of a cloud became; ""
	// for none.
	Tickets map[string]string
	// Doubles are second documents that the scenario is about ("FN/FD") with the
	// command that they are of. The journal must know of each.
	Doubles map[string]string
	// Foreign are documents that the scenario made behind the daemon's back.
	Foreign map[string]bool // "FN/FD"
}

// Violations compares the books. None is the promise: every command that was
// told done has exactly one document, every other has none, and no document
// has no command.
func (b Books) Violations() []string {
	c := checker{books: b, owner: map[string]string{}}
	for _, r := range b.Journal {
		c.record(r)
	}
	for _, t := range b.Told {
		c.told(t)
	}
	for document, id := range b.Doubles {
		c.double(document, id)
	}
	for serial, ledger := range b.Ledgers {
		c.ledger(serial, ledger)
	}
	slices.Sort(c.found)
	return c.found
}

type checker struct {
	books Books
	owner map[string]string // "FN/FD" → command id
	found []string
}

func (c *checker) violation(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func docID(serial string, fd uint32) string { return fmt.Sprintf("%s/%d", serial, fd) }

// record holds one record of the journal against the ledger.
func (c *checker) record(r fiscal.Record) {
	if !r.State.Final() {
		c.violation("journal: %s %s is still %s", r.Verb, r.ID, r.State)
		return
	}
	if r.Verb.Class() != fiscal.ClassFiscal || r.State != fiscal.Done || settled(r) {
		return
	}
	if r.Receipt == nil {
		c.violation("journal: %s is done without a document", r.ID)
		return
	}
	if r.Receipt.By != "" {
		return // somebody else's shift document
	}
	fnSerial, fd, ok := c.document(*r.Receipt)
	if !ok {
		c.violation("journal: %s is done by ticket %s, of which the cloud has made no document", r.ID, r.Receipt.Ticket)
		return
	}
	id := docID(fnSerial, fd)
	if other := c.owner[id]; other != "" {
		c.violation("journal: %s and %s claim document %s", other, r.ID, id)
	}
	c.owner[id] = r.ID
	e, ok := c.entry(fnSerial, fd)
	switch {
	case !ok:
		c.violation("journal: %s claims document %s, which the tax office has never seen", r.ID, id)
	case r.Receipt.FD != 0 && e.FP != r.Receipt.Sign:
		c.violation("journal: %s has sign %d, the tax office %d", r.ID, r.Receipt.Sign, e.FP)
	case r.Verb.Receipt() && e.Total != int64(r.Document.Total):
		c.violation("journal: %s is %s, document %s is %s", r.ID, r.Document.Total, id, fiscal.Money(e.Total))
	}
}

// double wants the journal to tell of a second document of a command.
func (c *checker) double(document, id string) {
	i := slices.IndexFunc(c.books.Journal, func(r fiscal.Record) bool { return r.ID == id })
	if i < 0 || !slices.ContainsFunc(c.books.Journal[i].Late, func(late fiscal.Receipt) bool {
		serial, fd, ok := c.document(late)
		return ok && docID(serial, fd) == document
	}) {
		c.violation("journal: %s does not tell of its second document %s", id, document)
	}
	if other := c.owner[document]; other != "" {
		c.violation("journal: %s claims %s, the second document of %s", other, document, id)
	}
	c.owner[document] = id
}

// document finds what a receipt stands for. A cloud may have told no more than
// its ticket; where it told more, both must be the same.
func (c *checker) document(rc fiscal.Receipt) (serial string, fd uint32, ok bool) {
	if rc.Ticket == "" {
		return rc.Storage, rc.FD, true
	}
	id := c.books.Tickets[rc.Ticket]
	if rc.FD != 0 && id != docID(rc.Storage, rc.FD) {
		c.violation("journal: ticket %s is document %s, the cloud made %s of it", rc.Ticket, docID(rc.Storage, rc.FD), id)
	}
	i := strings.LastIndexByte(id, '/')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(id[i+1:], 10, 32)
	return id[:i], uint32(n), err == nil
}

// settled tells whether a person, not a register, made the command done.
func settled(r fiscal.Record) bool {
	return r.Resolved != nil && r.Resolved.Action != fiscal.ResolveRetry && r.Resolved.Action != fiscal.ResolveReload
}

func (c *checker) entry(serial string, fd uint32) (fn.Entry, bool) {
	for _, e := range c.books.Ledgers[serial] {
		if e.FD == fd {
			return e, true
		}
	}
	return fn.Entry{}, false
}

// told holds a terminal's last answer against the journal.
func (c *checker) told(t Told) {
	if t.Conflict != "" {
		c.violation("terminal %s: %s was told %s and then %s", t.Terminal, t.ID, t.Conflict, t.State)
	}
	i := slices.IndexFunc(c.books.Journal, func(r fiscal.Record) bool { return r.ID == t.ID })
	if i < 0 {
		if t.State == fiscal.Done && t.Verb.Journalled() {
			c.violation("terminal %s: %s was told done, the journal has no such command", t.Terminal, t.ID)
		}
		return
	}
	r := c.books.Journal[i]
	if t.State.Final() && r.State != t.State {
		c.violation("terminal %s: %s was told %s, the journal says %s", t.Terminal, t.ID, t.State, r.State)
	}
	if t.FD != 0 && r.Receipt != nil && (t.FD != r.Receipt.FD || t.FN != r.Receipt.Storage) {
		c.violation("terminal %s: %s was told document %s/%d, the journal has %s/%d", t.Terminal, t.ID, t.FN, t.FD, r.Receipt.Storage, r.Receipt.FD)
	}
}

// ledger looks for documents that nobody ordered, and for two of one command.
func (c *checker) ledger(serial string, ledger []fn.Entry) {
	keys := map[string]uint32{}
	for _, e := range ledger {
		if e.Form == fiscal.FormRegistration || c.books.Foreign[docID(serial, e.FD)] {
			continue
		}
		if c.owner[docID(serial, e.FD)] == "" {
			c.violation("tax office: document %s (form %d, %s) belongs to no command", docID(serial, e.FD), e.Form, fiscal.Money(e.Total))
		}
		key := entryKey(e)
		if key == "" {
			continue
		}
		if first, twice := keys[key]; twice {
			c.violation("tax office: documents %d and %d of %s carry one key %s", first, e.FD, serial, key)
		}
		keys[key] = e.FD
	}
}

// entryKey is our key in a document, if it has one.
func entryKey(e fn.Entry) string {
	if e.Attribute.Name == keyAttribute {
		return e.Attribute.Value
	}
	if keyPattern.MatchString(e.Extra) {
		return e.Extra
	}
	return ""
}

// keyAttribute names our key in tag 1084; in tag 1192 it is known by its form.
const keyAttribute = "kassad"

var keyPattern = regexp.MustCompile(`^[A-Z2-7]{16}$`)

// Print writes the books side by side.
func (b Books) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ТЕРМИНАЛУ СКАЗАНО\t\t\tЖУРНАЛ\t\tНАЛОГОВАЯ ВИДИТ\t")
	fmt.Fprintln(tw, "команда\tсостояние\tФД\tсостояние\tФД\tФД\tсумма")
	told := map[string]Told{}
	for _, t := range b.Told {
		told[t.ID] = t
	}
	for _, r := range b.Journal {
		if r.Verb.Class() != fiscal.ClassFiscal {
			continue
		}
		b.row(tw, r, told[r.ID])
	}
	return tw.Flush()
}

func (b Books) row(w io.Writer, r fiscal.Record, t Told) {
	name := string(r.Verb)
	if r.Terminal != "" {
		name = r.Terminal + " " + name
	} else {
		name = "(сам) " + name
	}
	state, toldFD := "—", "—"
	if t.State != "" {
		state, toldFD = string(t.State), number(t.FD)
	}
	journalFD, taxFD, total := "—", "—", "—"
	if r.Receipt != nil {
		journalFD = number(r.Receipt.FD)
		c := checker{books: b}
		if e, ok := c.entry(r.Receipt.Storage, r.Receipt.FD); ok {
			taxFD, total = number(e.FD), fiscal.Money(e.Total).String()
		}
	}
	fmt.Fprintln(w, strings.Join([]string{name, state, toldFD, string(r.State), journalFD, taxFD, total}, "\t"))
}

func number(fd uint32) string {
	if fd == 0 {
		return "—"
	}
	return fmt.Sprint(fd)
}
