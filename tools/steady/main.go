// Steady makes an overlay of Go's runtime for make sim, so that a seed replays
// byte for byte: in a bubble of testing/synctest all randomness of the runtime
// (the order of maps and of select) comes from one fixed source, and nothing
// takes the processor away from a goroutine that is in a system call, if there
// is only one (GOMAXPROCS=1).
//
//	go run ./tools/steady DIR
//
// writes DIR/overlay.json for go build -overlay.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// edit replaces what stands exactly once in a file of the runtime.
type edit struct{ was, becomes string }

var edits = map[string][]edit{
	"rand.go": {
		{
			"	globalRand.state.Init(*seed)\n	clear(seed[:])\n",
			"	for i := range seed {\n		seed[i] = byte(i + 1)\n	}\n	globalRand.state.Init(*seed)\n	clear(seed[:])\n",
		},
		{"\nfunc rand() uint64 {\n", "\nfunc rand() uint64 {\n	if getg().bubble != nil {\n		return bubbleRand()\n	}\n"},
	},
	"select.go": {{"j := cheaprandn(uint32(norder + 1))", "j := steadyRand() % uint32(norder+1)"}},
	"sema.go":   {{"s.ticket = cheaprand() | 1", "s.ticket = steadyRand() | 1"}},
	"time.go":   {{"t.rand = cheaprand()", "t.rand = steadyRand()"}},
	"proc.go":   {{"		if retake(now) != 0 {", "		if gomaxprocs > 1 && retake(now) != 0 {"}},
}

// source is the one source of all goroutines in a bubble. What decides no order
// (the locks of the runtime, which draw when a thread has to wait) keeps its own:
// how often it draws depends on how busy the machine is.
const source = `
// steadyRand is cheaprand where the draw decides what comes first.
//
//go:nosplit
func steadyRand() uint32 {
	if getg().bubble != nil {
		return uint32(bubbleRand() >> 32)
	}
	return cheaprand()
}

var bubbleState uint64

//go:nosplit
func bubbleRand() uint64 {
	bubbleState += 0xa0761d6478bd642f
	hi, lo := math.Mul64(bubbleState, bubbleState^0xe7037ed1a0b428db)
	return hi ^ lo
}
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "steady:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument: the folder to write to")
	}
	dir, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	root := strings.TrimSpace(string(out))
	replace := map[string]string{}
	for name, list := range edits {
		from := filepath.Join(root, "src", "runtime", name)
		raw, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		text := string(raw)
		for _, e := range list {
			if n := strings.Count(text, e.was); n != 1 {
				return fmt.Errorf("%s of %s has %q %d times, want once: bring this tool up to date", name, root, e.was, n)
			}
			text = strings.Replace(text, e.was, e.becomes, 1)
		}
		if name == "rand.go" {
			text += source
		}
		replace[from] = filepath.Join(dir, name)
		if err := os.WriteFile(replace[from], []byte(text), 0o644); err != nil {
			return err
		}
	}
	overlay, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "overlay.json"), append(overlay, '\n'), 0o644)
}
