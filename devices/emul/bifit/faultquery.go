package bifit

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameters reads a query; the first error is kept.
type parameters struct {
	q   url.Values
	err error
}

func (p *parameters) fail(name string, err error) {
	if p.err == nil {
		p.err = fmt.Errorf("%s=%s: %w", name, p.q.Get(name), err)
	}
}

// whole reads an integer; what is not there is 0.
func (p *parameters) whole(name string) int {
	if p.q.Get(name) == "" {
		return 0
	}
	n, err := strconv.Atoi(p.q.Get(name))
	if err != nil {
		p.fail(name, strconv.ErrSyntax)
	}
	return n
}

func (p *parameters) duration(name string) time.Duration {
	if p.q.Get(name) == "" {
		return 0
	}
	d, err := time.ParseDuration(p.q.Get(name))
	if err != nil {
		p.fail(name, strconv.ErrSyntax)
	}
	return d
}

// is tells whether a switch is there, with whatever value but "0".
func (p *parameters) is(name string) bool { return p.q.Has(name) && p.q.Get(name) != "0" }

// cause reads the reference's word for a cause.
func (p *parameters) cause() Cause {
	v, ok := DefaultTable().Causes.Value(p.q.Get("cause"))
	if !ok {
		p.fail("cause", strconv.ErrSyntax)
	}
	return Cause(v)
}

// status reads an HTTP status that an answer with a body can have.
func (p *parameters) status() int {
	v := p.whole("status")
	or(&v, http.StatusInternalServerError)
	if v < http.StatusOK || v > 599 {
		p.fail("status", strconv.ErrRange)
	}
	return v
}

// ParseFault reads a fault from a query: do is the action by its name (cut,
// slow, respond, stick, fail-document…), its fields are parameters in small
// letters with dashes (by, early, after, status, retry-after, html, bytes,
// clean, count, cause, detects, token), and so are on, key, skip, times and
// per-mille. on joins kinds with "+" or ",".
func ParseFault(q url.Values) (Fault, error) {
	p := &parameters{q: q}
	f := Fault{
		On: p.kinds(), Key: q.Get("key"), Skip: p.whole("skip"), Times: p.whole("times"), PerMille: p.whole("per-mille"),
		Do: p.action(),
	}
	if p.err != nil {
		return Fault{}, p.err
	}
	return f, nil
}

func (p *parameters) kinds() On {
	var on On
	for _, name := range strings.FieldsFunc(p.q.Get("on"), func(r rune) bool { return strings.ContainsRune("+, ", r) }) {
		switch i := slices.Index(kindNames(), name); {
		case i >= 0:
			on |= 1 << i
		case name == "protected":
			on |= OnProtected
		default:
			p.fail("on", strconv.ErrSyntax)
		}
	}
	return on
}

func (p *parameters) action() Action {
	count := p.whole("count")
	switch p.q.Get("do") {
	case "unauthorized":
		return Unauthorized{}
	case "refuse-grant":
		return RefuseGrant{}
	case "respond":
		return Respond{Status: p.status(), RetryAfter: p.duration("retry-after"), HTML: p.is("html"), After: p.is("after")}
	case "cut":
		return Cut{Early: p.is("early")}
	case "slow":
		return Slow{By: p.duration("by"), Early: p.is("early")}
	case "truncate":
		return Truncate{Bytes: p.whole("bytes"), Clean: p.is("clean")}
	case "quote":
		return Quote{}
	case "newline":
		return Newline{}
	case "stick":
		return Stick{}
	case "backwards":
		return Backwards{Times: count}
	case "wrong-status":
		return WrongStatus{Token: p.q.Get("token"), Queries: count}
	case "late-attributes":
		return LateAttributes{Queries: count}
	case "not-found":
		return NotFound{Queries: count}
	case "fail-document":
		return FailDocument{Cause: p.cause(), Times: count}
	case "fail-after-made":
		return FailAfterMade{Detects: p.is("detects")}
	case "move-clock":
		return MoveClock{By: p.duration("by")}
	case "swap-fn":
		return SwapFN{}
	default:
		p.fail("do", strconv.ErrSyntax)
		return nil
	}
}
