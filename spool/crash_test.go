package spool

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kassad/fiscal"
)

// childEnv makes the test binary a writer that never stops by itself.
const childEnv = "KASSAD_SPOOL_CHILD"

func runChild() bool {
	path := os.Getenv(childEnv)
	if path == "" {
		return false
	}
	if err := child(path); err != nil {
		fmt.Println("error", err)
	}
	return true
}

// child takes sales through their life from four goroutines, and says on
// stdout what Update has returned for.
func child(path string) error {
	s, err := Open(path, Options{LockWait: 5 * time.Second})
	if err != nil {
		return err
	}
	said := make(chan string)
	for w := range 4 {
		go func() {
			for n := 0; ; n++ {
				if err := childSale(s, fmt.Sprintf("%d-%d-%d", os.Getpid(), w, n), said); err != nil {
					said <- "error " + err.Error()
					return
				}
			}
		}()
	}
	for line := range said {
		fmt.Println(line)
	}
	return nil
}

func childSale(s *Spool, id string, said chan<- string) error {
	var r fiscal.Record
	step := func(change func(tx *Tx) error) error {
		err := s.Update(func(tx *Tx) error {
			if err := change(tx); err != nil {
				return err
			}
			n, err := tx.NextEvent()
			if err != nil {
				return err
			}
			return tx.Send(Message{Link: "local", Topic: "evt", Payload: []byte(strconv.FormatUint(n, 10))})
		})
		if err == nil {
			said <- fmt.Sprintf("%s %s", r.State, id)
		}
		return err
	}
	err := step(func(tx *Tx) (err error) {
		r, _, err = tx.Accept(sale(id))
		return err
	})
	if err != nil {
		return err
	}
	r.State, r.Baseline = fiscal.Working, &fiscal.Baseline{Storage: storage}
	if err := step(func(tx *Tx) error { return tx.Put(r) }); err != nil {
		return err
	}
	r = done(r, uint32(r.Seq))
	r.Receipt.Shift = 1
	return step(func(tx *Tx) error { return tx.Put(r) })
}

// TestKilledAtAnyMoment kills the writer again and again. After each time the
// store opens, Check finds nothing, and all that was said is there.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	if testing.Short() && os.Getenv("CI") != "true" {
		t.Skip("takes seconds")
	}
	path := filepath.Join(t.TempDir(), "kassad.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	promised := map[string]fiscal.State{}
	deadline := time.Now().Add(4 * time.Second)
	rounds := 0
	for ; time.Now().Before(deadline); rounds++ {
		killed(t, path, 1+rnd.IntN(300), promised)
		kept(t, path, promised)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d sales", rounds, len(promised))
}

// killed runs a child, kills it after it has said so many lines, and notes all
// that it had said.
func killed(t *testing.T, path string, lines int, promised map[string]fiscal.State) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		state, id, ok := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case err != nil || state == "error" || !ok:
			t.Errorf("the child said %q, %v", line, err)
		default:
			promised[id] = fiscal.State(state)
		}
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // killed
}

// kept looks for everything that was promised, and for gaps in the events.
func kept(t *testing.T, path string, promised map[string]fiscal.State) {
	t.Helper()
	sound(t, path)
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rank := map[fiscal.State]int{fiscal.Accepted: 1, fiscal.Working: 2, fiscal.Done: 3, fiscal.Abandoned: 3}
	var sent []uint64
	view(t, s, func(tx *Tx) error {
		for id, state := range promised {
			if r, ok, err := tx.ByID(id); err != nil || !ok || rank[r.State] < rank[state] {
				t.Errorf("%s was %s, it is %q: %v", id, state, r.State, err)
			}
		}
		messages, err := tx.Outbox("local", 0, 1<<30)
		for i, m := range messages {
			if want := tx.LastEvent() - uint64(len(messages)-1-i); string(m.Payload) != strconv.FormatUint(want, 10) {
				t.Errorf("event %s where %d should be", m.Payload, want)
				break
			}
			sent = append(sent, m.ID)
		}
		return err
	})
	s.Sent(sent...)
	settleQueue(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// settleQueue gives up what the kills left unfinished, as a person would, so
// that the queue does not fill.
func settleQueue(t *testing.T, s *Spool) {
	t.Helper()
	update(t, s, func(tx *Tx) error {
		queue, err := tx.Queue("front")
		for _, r := range queue {
			r.State, r.FinalAt = fiscal.Abandoned, wall
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return err
	})
}

// TestCheckOfAKilledStore looks at what the next start will make of it.
func TestCheckOfAKilledStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kassad.db")
	killed(t, path, 40, map[string]fiscal.State{})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, path)
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed: %v", err)
	}
}
