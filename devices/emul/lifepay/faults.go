package lifepay

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FaultKind is one way to fail (section 14.2).
type FaultKind string

// Faults before anything is stored.
const (
	FaultStatusBefore FaultKind = "status-before" // HTTP Status, default 503
	FaultCutBefore    FaultKind = "cut-before"    // the connection closes
	FaultHangBefore   FaultKind = "hang-before"   // as FaultHang, then HTTP Status (default 504)
	FaultTooMany      FaultKind = "too-many"      // HTTP Status (default 429) and code Code (default 429)
	FaultRedirect     FaultKind = "redirect"      // HTTP Status (default 302) to Location
	FaultRefuse       FaultKind = "refuse"        // code Code (default 400) with Fields
	FaultInternal     FaultKind = "internal"      // code 500, nothing stored
)

// Faults of the reply to a request that was handled as usual.
const (
	FaultStatusAfter    FaultKind = "status-after" // HTTP Status, default 502
	FaultCutAfter       FaultKind = "cut-after"    // the connection closes
	FaultHang           FaultKind = "hang"         // no reply for Delay; 0: until Release
	FaultEmpty          FaultKind = "empty"        // HTTP 200 without a body
	FaultHTML           FaultKind = "html"         // HTTP 200 with a page
	FaultTruncated      FaultKind = "truncated"    // HTTP 200 with half of the JSON
	FaultInternalStored FaultKind = "internal-stored"
	FaultWrongType      FaultKind = "wrong-type" // the right JSON as text/html
	FaultSlow           FaultKind = "slow"       // half of the reply, Delay, the other half
	FaultHuge           FaultKind = "huge"       // a megabyte of blanks before the JSON
	FaultNoUUID         FaultKind = "no-uuid"
)

// Faults of a document and its callbacks. They wait for a request that makes
// one.
const (
	FaultDeviceError       FaultKind = "device-error" // ends in error Code (default 1)
	FaultStuck             FaultKind = "stuck"        // queued until Finish
	FaultCallbackFirst     FaultKind = "callback-first"
	FaultCallbackTwice     FaultKind = "callback-twice"
	FaultCallbackReordered FaultKind = "callback-reordered" // after the final one, a late "waiting for retry"
	FaultCallbackNever     FaultKind = "callback-never"
	FaultCallbackMalformed FaultKind = "callback-malformed"
	FaultCallbackStranger  FaultKind = "callback-stranger" // one more, for a uuid that nobody knows
	FaultCallbackExtraKeys FaultKind = "callback-extra-keys"
)

type stage int

const (
	stageBefore stage = iota
	stageReply
	stageDocument
)

var stages = map[FaultKind]stage{
	FaultStatusBefore: stageBefore, FaultCutBefore: stageBefore, FaultTooMany: stageBefore, FaultRedirect: stageBefore,
	FaultRefuse: stageBefore, FaultInternal: stageBefore, FaultHangBefore: stageBefore,
	FaultStatusAfter: stageReply, FaultCutAfter: stageReply, FaultHang: stageReply, FaultEmpty: stageReply, FaultHTML: stageReply,
	FaultTruncated: stageReply, FaultInternalStored: stageReply, FaultWrongType: stageReply, FaultSlow: stageReply,
	FaultHuge: stageReply, FaultNoUUID: stageReply,
	FaultDeviceError: stageDocument, FaultStuck: stageDocument, FaultCallbackFirst: stageDocument, FaultCallbackTwice: stageDocument,
	FaultCallbackReordered: stageDocument, FaultCallbackNever: stageDocument, FaultCallbackMalformed: stageDocument,
	FaultCallbackStranger: stageDocument, FaultCallbackExtraKeys: stageDocument,
}

// FaultKinds lists all faults.
func FaultKinds() []FaultKind { return sortedKeys(stages) }

// Fault spoils requests that match.
type Fault struct {
	Kind     FaultKind
	Path     string // create-receipt …, at both addresses; "" matches all
	ExtID    string // "" matches all
	Times    int    // 0 is once, negative is always
	PerMille int    // chance of each match, from Config.Seed; 0 is certainty

	Status   int                 // HTTP status
	Code     int                 // of the envelope, or error_code
	Text     string              // message; default the code's own
	Fields   map[string][]string // data of a refusal; nil is Options.ErrorData
	Location string              // default /elsewhere
	Delay    time.Duration
}

type armed struct {
	Fault
	left int
}

// Fail arms a fault. The error is for a kind or chance that does not exist.
func (s *Service) Fail(f Fault) error {
	if _, ok := stages[f.Kind]; !ok {
		return fmt.Errorf("no fault %q", f.Kind)
	}
	if f.PerMille < 0 || f.PerMille > 1000 || f.Delay < 0 {
		return fmt.Errorf("fault %s: a chance is 0 to 1000, a delay is not negative", f.Kind)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault %s: HTTP status %d", f.Kind, f.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := f.Times
	or(&left, 1)
	s.faults = append(s.faults, &armed{f, left})
	return nil
}

// ClearFaults disarms everything.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// take finds and uses up faults of a stage: the oldest that matches, or all of
// them. The caller holds s.mu.
func (s *Service) take(at stage, path, extID string, all bool) []Fault {
	var out []Fault
	s.faults = slices.DeleteFunc(s.faults, func(a *armed) bool {
		switch {
		case stages[a.Kind] != at, len(out) > 0 && !all:
			return false
		case a.Path != "" && !strings.HasSuffix(path, "/"+a.Path), a.ExtID != "" && a.ExtID != extID:
			return false
		case a.PerMille > 0 && s.chance.IntN(1000) >= a.PerMille:
			return false
		}
		out = append(out, a.Fault)
		a.left--
		return a.left == 0
	})
	return out
}

// afflict applies faults to a new document. The caller holds s.mu.
func (s *Service) afflict(d *document) {
	for _, f := range s.take(stageDocument, d.Path, d.ExtID, true) {
		switch f.Kind {
		case FaultStuck:
			d.stuck = true
		case FaultDeviceError:
			d.failCode, d.failText = f.Code, f.Text
			or(&d.failCode, CodeGeneric)
			or(&d.failText, codeTexts[d.failCode])
		default:
			d.callbackFaults = append(d.callbackFaults, f.Kind)
		}
	}
}

func (d *document) has(k FaultKind) bool { return slices.Contains(d.callbackFaults, k) }
