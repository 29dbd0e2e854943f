// Mutate measures tests: it makes one small mistake after another in a package
// and counts how many of them the package's own tests notice. It is no part of
// the product.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// options are the flags of one run.
type options struct {
	pkg     string        // as "go test" takes it: ./fiscal
	files   string        // pattern of file names in it
	known   string        // file of equivalent mutants, or ""
	timeout time.Duration // of one mutant's tests; 0: by those of the unchanged ones
	workers int
	quick   bool // try -short first: what it kills needs no more
	list    bool
	from    int    // place in the list, 0 the first
	count   int    // 0: all
	every   int    // each n-th mutant only: an estimate
	again   string // file of an earlier report: only the mutants that stand in it
	first   string // pattern of quick tests, tried before all others
}

func main() {
	var o options
	flag.StringVar(&o.pkg, "p", "./fiscal", "package whose tests are measured")
	flag.StringVar(&o.files, "f", "*.go", "pattern of its files to change")
	flag.StringVar(&o.known, "known", "", "file of mutants that are known to change nothing")
	flag.DurationVar(&o.timeout, "t", 0, "time for the tests of one mutant (default ten times the unchanged ones, at least 30s)")
	flag.IntVar(&o.workers, "j", 1, "mutants at once")
	flag.BoolVar(&o.quick, "quick", true, "try the tests with -short first; what they kill needs no more")
	flag.BoolVar(&o.list, "list", false, "print the mutants and run nothing")
	flag.IntVar(&o.from, "from", 0, "first mutant, as -list counts them")
	flag.IntVar(&o.count, "n", 0, "how many mutants (default all)")
	flag.IntVar(&o.every, "every", 1, "only each n-th mutant: an estimate in a fraction of the time")
	flag.StringVar(&o.again, "again", "", "file of an earlier report: only the mutants that it names")
	flag.StringVar(&o.first, "first", "", "pattern of quick tests to try before the others, as in go test -run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// measure makes the mutants of o, runs them and prints the score.
func measure(ctx context.Context, o options, out io.Writer) error {
	known, err := readKnown(o.known)
	if err != nil {
		return err
	}
	work, err := newWorkshop(ctx, o)
	if err != nil {
		return err
	}
	defer work.clean()
	all, err := work.mutants(o.files)
	if err != nil {
		return err
	}
	if all, err = named(all, o.again); err != nil {
		return err
	}
	if o.list {
		for i, m := range all {
			fmt.Fprintf(out, "%4d %s\n", i, m)
		}
		return nil
	}
	all = all[min(o.from, len(all)):]
	if o.count > 0 {
		all = all[:min(o.count, len(all))]
	}
	if o.every > 1 {
		var sample []mutant
		for i := o.every / 2; i < len(all); i += o.every {
			sample = append(sample, all[i])
		}
		all = sample
	}
	if len(all) == 0 {
		return errors.New("no mutants: nothing matches " + filepath.Join(o.pkg, o.files))
	}
	if err := work.baseline(ctx); err != nil {
		return err
	}
	s := score{known: known, out: out, total: len(all)}
	if err := work.runAll(ctx, all, s.add); err != nil {
		return err
	}
	s.print(o)
	return nil
}

var place = regexp.MustCompile(`\.go:\d+ `)

// named are the mutants that a report names, or all without one.
func named(all []mutant, report string) ([]mutant, error) {
	if report == "" {
		return all, nil
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	text := string(place.ReplaceAll(b, []byte(".go "))) // lines move
	return slices.DeleteFunc(all, func(m mutant) bool {
		return !strings.Contains(text, " "+m.id()+"\n") && !strings.Contains(text, " "+m.id()+" (")
	}), nil
}
