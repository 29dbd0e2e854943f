package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// score counts the verdicts.
type score struct {
	known  map[string]string // id to reason
	out    io.Writer
	total  int
	seen   int
	counts [unbuilt + 1]int
	equal  int // survivors that change nothing
}

// progressEach is how often a line of progress is printed.
const progressEach = 50

func (s *score) add(m mutant, v verdict) {
	s.seen++
	s.counts[v]++
	switch v {
	case survived, uncovered:
		if why, ok := s.known[m.id()]; ok {
			s.equal++
			fmt.Fprintf(s.out, "equivalent %s (%s)\n", m, why)
			break
		}
		word := "survived"
		if v == uncovered {
			word = "not run"
		}
		fmt.Fprintf(s.out, "%-10s %s\n", word, m)
	case timedOut:
		fmt.Fprintf(s.out, "%-10s %s\n", "timed out", m)
	}
	if s.seen%progressEach == 0 {
		fmt.Fprintf(s.out, "# %d of %d\n", s.seen, s.total)
	}
}

// print ends the report. What does not build is no mutant.
func (s *score) print(o options) {
	caught := s.counts[killed] + s.counts[timedOut]
	alive := s.counts[survived] + s.counts[uncovered] - s.equal
	fmt.Fprintf(s.out, "\n%s %s: %d mutants, %d killed, %d timed out, %d survived (%d in lines that no test runs), %d equivalent; %d did not build\n",
		o.pkg, o.files, s.total-s.counts[unbuilt], s.counts[killed], s.counts[timedOut], alive, s.counts[uncovered], s.equal, s.counts[unbuilt])
	if caught+alive > 0 {
		tenths := (caught*1000 + (caught+alive)/2) / (caught + alive)
		fmt.Fprintf(s.out, "score %d.%d %%\n", tenths/10, tenths%10)
	}
}

// readKnown reads the list of equivalent mutants: "id | reason" a line.
func readKnown(name string) (map[string]string, error) {
	known := map[string]string{}
	if name == "" {
		return known, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, why, ok := cutLast(line, " | ")
		if !ok || why == "" {
			return nil, fmt.Errorf("%s:%d: want a mutant, \" | \" and why it changes nothing", name, n)
		}
		known[id] = why
	}
	return known, lines.Err()
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// coverage are the ranges of lines that tests run, by file with its module.
type coverage map[string][]lines

type lines struct{ from, to int }

// runs tells whether a test runs a line of a file, whose path is from the
// module's root.
func (c coverage) runs(file string, line int) bool {
	for name, ranges := range c {
		if !strings.HasSuffix(name, "/"+file) {
			continue
		}
		for _, l := range ranges {
			if l.from <= line && line <= l.to {
				return true
			}
		}
	}
	return false
}

// readCoverage reads a cover profile: "file:l.c,l.c statements count" a line.
func readCoverage(text []byte) (coverage, error) {
	c := coverage{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] == "0" {
			continue
		}
		file, place, ok := cutLast(fields[0], ":")
		first, last, ok2 := strings.Cut(place, ",")
		if !ok || !ok2 {
			return nil, fmt.Errorf("cover profile: %q", line)
		}
		from, err1 := lineOf(first)
		to, err2 := lineOf(last)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("cover profile: %q", line)
		}
		c[file] = append(c[file], lines{from, to})
	}
	return c, nil
}

func lineOf(place string) (int, error) {
	n, _, _ := strings.Cut(place, ".")
	return strconv.Atoi(n)
}
