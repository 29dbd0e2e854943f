package fiscal

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// GuessWindow is how far apart the times of one document may be in two books
// when nothing but kind, total and time tells that it is one: clocks drift, and
// a cabinet may show when it took the order.
const GuessWindow = 10 * time.Minute

// Pair is one document in two books. Guessed: only kind, total and time say
// that it is one.
type Pair struct {
	Journal, Other *BookEntry
	Guessed        bool
	NumberOnly     bool // the FD agrees, and one side does not tell the FN
}

// Matching is how two books fit together.
type Matching struct {
	Pairs        []Pair
	OnlyJournal  []*BookEntry
	OnlyOther    []*BookEntry
	Guessed      int
	twice        []Pair // entries of one book that name one document
	twiceInOther []Pair
}

type numbered struct {
	fn string
	n  uint32
}

// MatchBooks finds the documents that both books have: by FN and FD, else by
// the fiscal sign, else by what a cloud calls it, else by an FD that is the only
// one of its number where a book does not tell the FN, else by kind, total and
// time, the nearest in time first.
func MatchBooks(journal, other []BookEntry) Matching {
	m := Matching{}
	left, twice := distinct(journal)
	right, twiceInOther := distinct(other)
	m.twice, m.twiceInOther = twice, twiceInOther
	left, right = m.by(left, right, func(e *BookEntry) (numbered, bool) { return numbered{e.FN, e.FD}, e.FN != "" && e.FD != 0 })
	left, right = m.by(left, right, func(e *BookEntry) (numbered, bool) { return numbered{"", e.Sign}, e.Sign != 0 })
	left, right = m.by(left, right, func(e *BookEntry) (numbered, bool) { return numbered{e.Ticket, 0}, e.Ticket != "" })
	left, right = m.byNumber(left, right)
	m.guess(left, right)
	return m
}

// byNumber pairs what has the same FD where one side does not tell the FN, if
// no other document has that number.
func (m *Matching) byNumber(left, right []*BookEntry) (restLeft, restRight []*BookEntry) {
	count := func(list []*BookEntry) map[uint32]int {
		n := map[uint32]int{}
		for _, e := range list {
			n[e.FD]++
		}
		return n
	}
	inLeft, inRight := count(left), count(right)
	before := len(m.Pairs)
	restLeft, restRight = m.by(left, right, func(e *BookEntry) (numbered, bool) {
		return numbered{"", e.FD}, e.FD != 0 && inLeft[e.FD] == 1 && inRight[e.FD] == 1
	})
	for i := range m.Pairs[before:] {
		m.Pairs[before+i].NumberOnly = true
	}
	return restLeft, restRight
}

// distinct leaves out what a book says twice of one FN and FD.
func distinct(book []BookEntry) (once []*BookEntry, twice []Pair) {
	seen := map[numbered]*BookEntry{}
	for i := range book {
		e := &book[i]
		key := numbered{e.FN, e.FD}
		if first := seen[key]; first != nil && e.FN != "" && e.FD != 0 {
			twice = append(twice, Pair{Journal: first, Other: e})
			continue
		}
		seen[key] = e
		once = append(once, e)
	}
	return once, twice
}

// by pairs what has the same name. Two entries that both know FN and FD, and
// differ in them, are two documents whatever else they share.
func (m *Matching) by(left, right []*BookEntry, name func(*BookEntry) (numbered, bool)) (restLeft, restRight []*BookEntry) {
	index := map[numbered][]*BookEntry{}
	for _, e := range right {
		if key, ok := name(e); ok {
			index[key] = append(index[key], e)
		}
	}
	taken := map[*BookEntry]bool{}
	for _, e := range left {
		key, ok := name(e)
		i := slices.IndexFunc(index[key], func(o *BookEntry) bool { return !taken[o] && !apart(e, o) })
		if !ok || i < 0 {
			restLeft = append(restLeft, e)
			continue
		}
		o := index[key][i]
		taken[o] = true
		m.Pairs = append(m.Pairs, Pair{Journal: e, Other: o})
	}
	return restLeft, slices.DeleteFunc(slices.Clone(right), func(e *BookEntry) bool { return taken[e] })
}

// apart tells whether two entries name different documents.
func apart(a, b *BookEntry) bool {
	return a.FN != "" && b.FN != "" && a.FN != b.FN || a.FD != 0 && b.FD != 0 && a.FD != b.FD
}

// guess pairs what is left by kind and total, the nearest in time first.
func (m *Matching) guess(left, right []*BookEntry) {
	type sum struct {
		kind  Kind
		total Money
	}
	index := map[sum][]*BookEntry{}
	for _, o := range right {
		if o.Total != nil {
			index[sum{o.Kind, *o.Total}] = append(index[sum{o.Kind, *o.Total}], o)
		}
	}
	type candidate struct {
		Pair
		away time.Duration
	}
	var candidates []candidate
	for _, e := range left {
		if e.Total == nil || e.At.IsZero() {
			continue
		}
		for _, kind := range []Kind{e.Kind, 0} { // a book may not tell the kind
			for _, o := range index[sum{kind, *e.Total}] {
				away := e.At.Sub(o.At).Abs()
				if !o.At.IsZero() && away <= GuessWindow && !apart(e, o) {
					candidates = append(candidates, candidate{Pair{Journal: e, Other: o, Guessed: true}, away})
				}
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.away, b.away) })
	taken := map[*BookEntry]bool{}
	for _, c := range candidates {
		if taken[c.Journal] || taken[c.Other] {
			continue
		}
		taken[c.Journal], taken[c.Other] = true, true
		m.Pairs = append(m.Pairs, c.Pair)
		m.Guessed++
	}
	isTaken := func(e *BookEntry) bool { return taken[e] }
	m.OnlyJournal = slices.DeleteFunc(slices.Clone(left), isTaken)
	m.OnlyOther = slices.DeleteFunc(slices.Clone(right), isTaken)
}

// Split parts a matching by what owner says of each document: of the journal's
// side where there is one.
func (m *Matching) Split(owner func(*BookEntry) string) map[string]*Matching {
	parts := map[string]*Matching{}
	part := func(e *BookEntry) *Matching {
		name := owner(e)
		if parts[name] == nil {
			parts[name] = &Matching{}
		}
		return parts[name]
	}
	for _, p := range m.Pairs {
		of := part(p.Journal)
		of.Pairs = append(of.Pairs, p)
		if p.Guessed {
			of.Guessed++
		}
	}
	for _, e := range m.OnlyJournal {
		part(e).OnlyJournal = append(part(e).OnlyJournal, e)
	}
	for _, e := range m.OnlyOther {
		part(e).OnlyOther = append(part(e).OnlyOther, e)
	}
	for _, p := range m.twice {
		part(p.Journal).twice = append(part(p.Journal).twice, p)
	}
	for _, p := range m.twiceInOther {
		part(p.Journal).twiceInOther = append(part(p.Journal).twiceInOther, p)
	}
	return parts
}

// Within drops what only one book has outside a period of wall clocks, and what
// has no time stays: the other book is not asked about another period.
func (m *Matching) Within(since, until time.Time) {
	outside := func(e *BookEntry) bool { return !e.At.IsZero() && (e.At.Before(since) || !e.At.Before(until)) }
	m.OnlyJournal = slices.DeleteFunc(m.OnlyJournal, outside)
	m.OnlyOther = slices.DeleteFunc(m.OnlyOther, outside)
}

// Books are the two books of a matching again.
func (m *Matching) Books() (journal, other []BookEntry) {
	for _, p := range m.Pairs {
		journal, other = append(journal, *p.Journal), append(other, *p.Other)
	}
	for _, e := range m.OnlyJournal {
		journal = append(journal, *e)
	}
	for _, e := range m.OnlyOther {
		other = append(other, *e)
	}
	return journal, other
}

// Notes say how sure the matching is.
func (m *Matching) Notes() []string {
	var notes []string
	if m.Guessed > 0 {
		notes = append(notes, fmt.Sprintf("%d documents were matched by kind, total and time only", m.Guessed))
	}
	n := 0
	for _, p := range m.Pairs {
		if p.NumberOnly {
			n++
		}
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%d documents were matched by FD only: one book does not tell the FN", n))
	}
	return notes
}
