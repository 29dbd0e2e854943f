package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// verdict is what became of a mutant.
type verdict int

const (
	killed    verdict = iota + 1 // a test failed
	survived                     // all tests passed
	uncovered                    // no test runs the line: survived without a run
	timedOut                     // the tests did not end: noticed, too
	unbuilt                      // not Go: no mutant
)

const (
	timeoutLeast  = 30 * time.Second
	timeoutFactor = 10
	killGrace     = 10 * time.Second
	memoryLimit   = "GOMEMLIMIT=1GiB"
)

// workshop is a copy of the module, in which the mutants run: the tree itself
// may change meanwhile, and is never written to.
type workshop struct {
	o       options
	root    string // the copy
	dir     string // of the package, from root
	covered coverage
	timeout time.Duration
}

func newWorkshop(ctx context.Context, o options) (*workshop, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Module.Dir}}\n{{.Dir}}", o.pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", o.pkg, explain(err))
	}
	module, dir, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if !ok || strings.Contains(dir, "\n") {
		return nil, fmt.Errorf("%s is not one package", o.pkg)
	}
	w := &workshop{o: o}
	if w.dir, err = filepath.Rel(module, dir); err != nil {
		return nil, err
	}
	if w.root, err = os.MkdirTemp("", "mutate-"); err != nil {
		return nil, err
	}
	if err := copyModule(w.root, module); err != nil {
		w.clean()
		return nil, err
	}
	return w, nil
}

func (w *workshop) clean() { os.RemoveAll(w.root) }

// copyModule copies sources and test data, not what was built or is hidden.
func copyModule(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && (d.Name()[0] == '.' || rel == "bin" || rel == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}

// mutants lists the mutants of the files that match.
func (w *workshop) mutants(pattern string) ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(w.root, w.dir, pattern))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(w.root, name)
		if err != nil {
			return nil, err
		}
		found, err := mutantsOf(rel, src)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// baseline runs the tests without a change: they have to pass, and say how
// long they take and which lines they run.
func (w *workshop) baseline(ctx context.Context) error {
	profile := filepath.Join(w.root, "cover.out")
	w.timeout = time.Hour
	binary := filepath.Join(w.root, ".tests")
	if v := w.test(ctx, binary, []string{"-cover"}, []string{"-test.coverprofile", profile}); v != survived {
		return fmt.Errorf("the tests do not pass without a mutant: go test %s", w.o.pkg)
	}
	begun := time.Now()
	if out, err := w.command(ctx, filepath.Join(w.root, w.dir), binary); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	if w.timeout = w.o.timeout; w.timeout == 0 {
		w.timeout = max(timeoutLeast, timeoutFactor*time.Since(begun))
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	w.covered, err = readCoverage(text)
	return err
}

// test builds the package's tests as binary, and runs them in the package's
// folder with each list of flags in turn, until one fails.
func (w *workshop) test(ctx context.Context, binary string, build []string, runs ...[]string) verdict {
	args := append([]string{"test", "-c", "-vet=off", "-o", binary}, build...)
	if _, err := w.command(ctx, w.root, "go", append(args, "./"+filepath.ToSlash(w.dir))...); err != nil {
		return unbuilt
	}
	for _, flags := range runs {
		flags = append([]string{"-test.failfast", "-test.paniconexit0", "-test.timeout", w.timeout.String()}, flags...)
		if v := judge(w.command(ctx, filepath.Join(w.root, w.dir), binary, flags...)); v != survived {
			return v
		}
	}
	return survived
}

func (w *workshop) command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), memoryLimit)
	cmd.WaitDelay = killGrace
	return cmd.CombinedOutput()
}

// runAll runs the mutants, some at once, and tells each end.
func (w *workshop) runAll(ctx context.Context, all []mutant, tell func(mutant, verdict)) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	queue := make(chan mutant)
	for range max(w.o.workers, 1) {
		group.Go(func() {
			for m := range queue {
				v, err := w.try(ctx, m)
				mu.Lock()
				if err != nil {
					failed = errors.Join(failed, err)
				} else {
					tell(m, v)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range all {
		if ctx.Err() != nil {
			break
		}
		queue <- m
	}
	close(queue)
	group.Wait()
	return errors.Join(failed, ctx.Err())
}

// try runs the tests over one mutant, which stands in an overlay.
func (w *workshop) try(ctx context.Context, m mutant) (verdict, error) {
	path := filepath.Join(w.root, filepath.FromSlash(m.file))
	src, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp(w.root, ".try-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	broken := filepath.Join(dir, filepath.Base(path))
	text := bytes.Join([][]byte{src[:m.from], []byte(m.text), src[m.to:]}, nil)
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		return 0, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		return 0, err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return 0, err
	}
	var runs [][]string
	covered := w.covered.runs(m.file, m.line)
	if covered {
		runs = w.tiers()
	}
	v := w.test(ctx, filepath.Join(dir, "tests"), []string{"-overlay", list}, runs...)
	if v == survived && !covered {
		v = uncovered
	}
	return v, ctx.Err()
}

// tiers are the runs of one mutant, the quickest first: most end there.
func (w *workshop) tiers() [][]string {
	var tiers [][]string
	if w.o.first != "" {
		tiers = append(tiers, []string{"-test.short", "-test.run", w.o.first})
	}
	if w.o.quick {
		tiers = append(tiers, []string{"-test.short"})
	}
	return append(tiers, []string{})
}

// judge reads how tests have ended.
func judge(out []byte, err error) verdict {
	switch {
	case err == nil:
		return survived
	case bytes.Contains(out, []byte("panic: test timed out")):
		return timedOut
	default:
		return killed
	}
}

// explain adds what a command wrote before it failed.
func explain(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}
