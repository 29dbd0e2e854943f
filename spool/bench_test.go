package spool

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kassad/fiscal"
)

// The figure "latency at 1 000 000 documents over latency at 1 000" needs a
// million: go test -bench Latency -documents 1000000 ./spool
var benchDocuments = flag.Int("documents", 50_000, "documents in the journal of BenchmarkLatencyGrowth")

// BenchmarkAccept compares a durable acceptance, with its answer in the outbox,
// to a raw append and fsync of as many bytes on the same disk in the same run.
func BenchmarkAccept(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s := start(b)
			raw := rawAppend(b, writers, 2000)
			ids := make(chan int, b.N)
			for i := range b.N {
				ids <- i
			}
			close(ids)
			latency := make([][]time.Duration, writers)
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range ids {
						began := time.Now()
						acceptAndDrop(b, s, i)
						latency[w] = append(latency[w], time.Since(began))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			each := b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(ratio(each, raw), "of-raw-fsync")
			b.ReportMetric(micros(quantile(slices.Concat(latency...), 50)), "p50-µs")
			b.ReportMetric(micros(quantile(slices.Concat(latency...), 99)), "p99-µs")
		})
	}
}

// acceptAndDrop is an acceptance; every 500th update empties the queue, which
// is bounded.
func acceptAndDrop(b *testing.B, s *Spool, i int) {
	r := sale(fmt.Sprintf("0198c2f0-5d1e-7c53-9a35-%012d", i))
	r.Device = fmt.Sprintf("front%d", i/(QueueMax/2))
	err := s.Update(func(tx *Tx) error {
		_, how, err := tx.Accept(r)
		if err == nil && how != New {
			err = fmt.Errorf("acceptance is %v", how)
		}
		if err != nil {
			return err
		}
		return tx.Send(Message{Link: "local", Topic: "kassad/v1/local/shop/main/res/till1/sale", Payload: make([]byte, 200)})
	})
	if err != nil {
		b.Error(err)
	}
}

// rawAppend is the mean time of an append and fsync, per record, with as many
// writers on one file.
func rawAppend(b *testing.B, writers, records int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	block := make([]byte, 512)
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for range records / writers {
				mu.Lock()
				_, err := f.Write(block)
				if err == nil {
					err = f.Sync()
				}
				mu.Unlock()
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began) / time.Duration(records)
}

// BenchmarkOpen is the time to open a journal of 100 000 documents and to read
// what the daemon needs at start.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "kassad.db")
	fill(b, path, 0, 100_000)
	for b.Loop() {
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		view(b, s, readAtStart)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(ratio(time.Duration(info.Size()), 100_000), "bytes/document")
	}
}

func readAtStart(tx *Tx) error {
	devices, err := tx.Devices()
	for _, d := range devices {
		_, err = tx.Queue(d)
	}
	terminals, _ := tx.Terminals()
	for _, t := range terminals {
		_, _, err = tx.Last(t)
	}
	for _, fn := range tx.Storages() {
		_, err = tx.LastFD(fn)
	}
	return err
}

// BenchmarkLatencyGrowth measures a whole sale (accepted, intent, done) in a
// long journal against one of a thousand documents, turn by turn.
func BenchmarkLatencyGrowth(b *testing.B) {
	small, large := start(b), start(b)
	fillOpen(b, small, 0, 1000)
	fillOpen(b, large, 0, *benchDocuments)
	var few, many []time.Duration
	n := uint32(0)
	b.ResetTimer()
	for b.Loop() {
		few = append(few, oneSale(b, small, 1000+n))
		many = append(many, oneSale(b, large, uint32(*benchDocuments)+n))
		n++
	}
	b.ReportMetric(ratio(quantile(many, 50), quantile(few, 50)), "p50-large/small")
	b.ReportMetric(ratio(quantile(many, 99), quantile(few, 99)), "p99-large/small")
	b.ReportMetric(micros(quantile(few, 50)), "small-µs")
	b.Logf("free pages: %d and %d", small.db.Stats().FreePageN, large.db.Stats().FreePageN)
	b.ReportMetric(micros(quantile(many, 50)), "large-µs")
}

func oneSale(b *testing.B, s *Spool, n uint32) time.Duration {
	r := numbered(n)
	began := time.Now()
	r = accept(b, s, r)
	r.State, r.Baseline = fiscal.Working, &fiscal.Baseline{Storage: storage, LastFD: n}
	update(b, s, func(tx *Tx) error { return tx.Put(r) })
	finish(b, s, r, n+1)
	return time.Since(began)
}

// numbered is a sale with an id that sorts by time, as UUIDv7 does.
func numbered(n uint32) fiscal.Record {
	r := sale(fmt.Sprintf("0198c2f0-5d1e-7c53-9a35-%012d", n))
	r.Terminal = fmt.Sprintf("till%d", n%8)
	return r
}

func fill(b *testing.B, path string, from, to int) {
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	fillOpen(b, s, from, to)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// fillOpen stores finished sales, as many in one transaction as a small disk
// can take.
func fillOpen(b testing.TB, s *Spool, from, to int) {
	const chunk = 50
	for first := from; first < to; first += chunk {
		update(b, s, func(tx *Tx) error {
			for n := first; n < min(first+chunk, to); n++ {
				r, _, err := tx.Accept(numbered(uint32(n)))
				if err == nil {
					err = tx.Put(done(r, uint32(n)+1))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func quantile(d []time.Duration, percent int) time.Duration {
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[(len(d)-1)*percent/100]
}

func micros(d time.Duration) float64   { return float64(d.Nanoseconds()) / 1000 }
func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// BenchmarkMend is the time to open a journal of 100 000 documents whose index
// is damaged, with a log of the usual length since the copy; and after kill -9.
func BenchmarkMend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "kassad.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	fillOpen(b, s, 0, 90_000)
	if err := s.renewCopy(); err != nil {
		b.Fatal(err)
	}
	fillOpen(b, s, 90_000, 100_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	copied, err := os.ReadFile(path + suffixCopy)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		if err := os.WriteFile(path+suffixCopy, copied, fileMode); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("garbage"), fileMode); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if r := s.Recovery(); r.Lost || r.Why == "" {
			b.Fatalf("%+v", r)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
