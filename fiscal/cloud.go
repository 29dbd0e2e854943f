package fiscal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Cloud is a Backend behind which a service on the internet stands. It takes a
// document under a key and makes it later; the same key twice is the same
// document.
//
// Prepare does not use the network: it renders the request into Baseline.Cloud,
// which is on disk before the first byte leaves, so that every repeat is the
// same. Submit sends it: success means that the service has it (the receipt
// carries its Ticket, if the service gave one), not that a document exists.
// Submit's errors are OutcomeUnreachable only if no byte of the request's body
// was written, OutcomeRejected only if the service answered in its own words
// that it refuses, and OutcomeUnknown for everything else.
//
// Find without a Ticket sends the same request under the same key once more;
// with one it asks what became of the document, where the service can be asked,
// and answers Pending where it cannot. A Find that is refused proves nothing
// about the request before it: that is an error with OutcomeRejected, never
// Absent.
type Cloud interface {
	Backend
	// Info tells what the service can carry; it does not use the network.
	Informer
	// Check tells whether the service would take doc as it is; on a route the
	// next backend may. It does not use the network.
	Check(doc Document) error
	// Verbs are the commands that the service has.
	Verbs() []Verb
	// Delays are the service's schedules.
	Delays() CloudPolicy
}

// What only some services have.
type (
	// Teller is a service that tells by itself what became of a document.
	Teller interface {
		// ReadCallback reads the body of a callback; it checks nothing but the
		// form. The receipt of the verdict carries the Ticket, if the service
		// sent it. It is called beside everything else that the backend does,
		// and depends on nothing but its arguments.
		ReadCallback(contentType string, body []byte) (Verdict, error)
	}
	// Reloader is a service that can be told to try a failed document once
	// more, under the name that it has. It reads the status first, and does
	// nothing with a document that has not failed.
	Reloader interface {
		Reload(ctx context.Context, ref Ref) error
	}
)

// CloudCall is a request as it is sent every time: all but the credentials.
type CloudCall struct {
	Key string `json:"key"` // see CloudKey
	// Account tells the accounts of a service apart, see AccountMark: under
	// another one the same key would be another document.
	Account string `json:"account"`
	Path    string `json:"path"` // of the service, below its base address
	Body    []byte `json:"body"`
}

// CloudPolicy are the schedules of a service.
type CloudPolicy struct {
	Repeat      []time.Duration // before each repeat of a request whose answer is not known; the last repeats
	Window      time.Duration   // the same key is repeated for no longer than this
	Poll        []time.Duration // between questions about a document that the service has; none: it calls
	Overdue     time.Duration   // a document that the service has had for longer is told of
	Reloads     int             // how often a failed document is tried again without a person
	ReloadAfter []time.Duration // before each of them; the last repeats
	RetryFailed bool            // a failed document is begun again under a new key without a person
}

// cloudKeyPrefix begins every key, and names the way it is made.
const cloudKeyPrefix = "k1-"

// InCloud tells whether a document is a cloud's: what it calls it, or at least
// the key under which it took it, is then all that may be known.
func (r Receipt) InCloud() bool { return r.Ticket != "" || strings.HasPrefix(r.Key, cloudKeyPrefix) }

// CloudKey is what a cloud knows the document by: ext_id, Idempotency-Key. It
// is the same for every repeat, and another one for each attempt (design 5,
// Clouds).
func (d Document) CloudKey() string {
	return cloudKeyPrefix + d.Stem + "-" + strconv.Itoa(d.Edition+1)
}

// AccountMark is a short mark of an account that shows nothing of what it is
// made of.
func AccountMark(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
