package sim

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"kassad/daemon"
	"kassad/fiscal"
	"kassad/mqtt"
	"kassad/spool"
)

// How much is measured.
var (
	figureSales     = flag.Int("figure-sales", 300, "sales in each figure")
	figureDocuments = flag.Int("figure-documents", 1_000_000, "documents in the large journal")
)

const (
	readyDocuments = 100_000
	smallDocuments = 1_000
	baud           = 115_200
	bitsPerByte    = 10 // 8N1
)

// figures is the table that make bench prints: ratios of things measured in
// one run, and the budgets of the design.
type figures struct {
	b    *testing.B
	rows []string
	raw  time.Duration // append and fsync, p50
	flat time.Duration // one commit of the store, p50
}

// BenchmarkFigures measures the figures that the design budgets. It judges
// nothing: a busy machine is not a failure, the table says which hold.
func BenchmarkFigures(b *testing.B) {
	for b.Loop() {
		f := &figures{b: b}
		f.disk()
		f.sale()
		for _, n := range []int{1, 8, 64} {
			f.terminals(n)
		}
		for _, n := range []int{1, 10, 50} {
			f.wire(n)
		}
		f.ready()
		f.growth()
		f.process()
		tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "\nfigure\tmeasured\tagainst\tratio\tbudget\tholds")
		for _, row := range f.rows {
			fmt.Fprintln(tw, row)
		}
		tw.Flush()
	}
}

// row adds a line; budget 0 has none.
func (f *figures) row(what, measured, against string, value float64, unit string, budget float64) {
	limit, holds := "-", "-"
	if budget > 0 {
		limit, holds = fmt.Sprintf("%g%s", budget, unit), "yes"
		if value > budget {
			holds = "NO"
		}
	}
	f.rows = append(f.rows, strings.Join([]string{what, measured, against, fmt.Sprintf("%.2f%s", value, unit), limit, holds}, "\t"))
}

func (f *figures) fatal(err error) {
	if err != nil {
		f.b.Helper()
		f.b.Fatal(err)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

func quantile(d []time.Duration, percent int) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[(len(d)-1)*percent/100]
}

// sampleRecord is an accepted sale of one item, as the intake makes it.
func sampleRecord(n int) fiscal.Record {
	id := fmt.Sprintf("figure-%09d", n) // grows, as UUIDv7 does
	now := time.Now()
	return fiscal.Record{
		ID: id, Terminal: "till1", Links: []string{"shop"}, Verb: fiscal.VerbSale, Device: "front", Hash: id, AcceptedAt: now,
		State: fiscal.Accepted, N: 1,
		Document: fiscal.Document{
			ID: id, Verb: fiscal.VerbSale, Key: fiscal.Key("figures", id), At: now, Kind: fiscal.Sale, Total: 12200,
			Lines:    []fiscal.Line{{Name: "Чайник", Price: 12200, Quantity: fiscal.QuantityUnit, Sum: 12200, Tax: 2200, VAT: fiscal.VAT22, Method: fiscal.FullPayment, Subject: fiscal.Goods, Department: 1}},
			Payments: fiscal.Payments{Card: 12200},
		},
	}
}

func finished(r fiscal.Record, fd uint32) fiscal.Record {
	r.State, r.FinalAt = fiscal.Done, time.Now()
	r.Receipt = &fiscal.Receipt{Kind: "sale", Storage: "9999078900009999", FD: fd, Sign: fd, Shift: 1, Number: fd, At: time.Now().UTC(), Total: 12200, Key: r.Document.Key}
	return r
}

// disk holds a durable accept against a raw append and fsync of as many bytes.
func (f *figures) disk() {
	dir := f.b.TempDir()
	file, err := os.Create(filepath.Join(dir, "raw"))
	f.fatal(err)
	defer file.Close()
	s, err := spool.Open(filepath.Join(dir, "kassad.db"), spool.Options{})
	f.fatal(err)
	defer s.Close()
	var raw, accept []time.Duration
	for n := range *figureSales {
		begin := time.Now()
		_, err := file.Write(make([]byte, 512))
		f.fatal(err)
		f.fatal(file.Sync())
		raw = append(raw, time.Since(begin))
		begin = time.Now()
		f.fatal(s.Update(func(tx *spool.Tx) error {
			_, _, err := tx.Accept(sampleRecord(n))
			return err
		}))
		accept = append(accept, time.Since(begin))
	}
	f.raw, f.flat = quantile(raw, 50), quantile(accept, 50)
	f.row("durable accept, p50", ms(f.flat), "append+fsync "+ms(f.raw), ratio(f.flat, f.raw), "x", 0)
}

// bench opens a shop with a printer that takes no time.
func (f *figures) bench(opt Options) *Shop {
	opt.Dir = f.b.TempDir()
	s, err := Open(context.Background(), opt)
	f.fatal(err)
	till, err := s.Till(context.Background(), "manager")
	f.fatal(err)
	for _, d := range s.Config.Devices {
		id := NewID()
		_, err = till.CallRaw(context.Background(), fiscal.VerbShiftOpen, id, onDevice(id, d.Name, obj{"cashier": cashier}), nil)
		f.fatal(err)
	}
	return s
}

func saleOf(items int) obj {
	var list []obj
	for range items {
		list = append(list, item("Чайник", "122.00", "1", "vat22", nil))
	}
	return receipt(obj{"card": "#"}, list...)
}

// sale holds a whole sale, as a terminal sees it, against three commits.
func (f *figures) sale() {
	s := f.bench(Options{})
	defer s.Close()
	till, err := s.Till(context.Background(), "till1")
	f.fatal(err)
	p50 := f.saleTime(till)
	f.row("whole sale, zero-delay printer, p50", ms(p50), "3 commits "+ms(3*f.flat), ratio(p50, 3*f.flat), "x", 0)
}

// terminals measures what the daemon adds to a sale: its total time less the
// device, the turn of others at the device, and the disk.
func (f *figures) terminals(n int) {
	s := f.bench(Options{})
	defer s.Close()
	var group sync.WaitGroup
	for i := range n {
		till, err := s.Till(context.Background(), fmt.Sprintf("till%d", i))
		f.fatal(err)
		group.Go(func() {
			for range max(*figureSales/n, 5) {
				if _, err := till.Call(context.Background(), fiscal.VerbSale, saleOf(1)); err != nil {
					f.b.Error(err)
				}
			}
		})
	}
	group.Wait()
	records, err := s.Daemon().Records()
	f.fatal(err)
	var added []time.Duration
	for _, r := range records {
		if r.Verb != fiscal.VerbSale {
			continue
		}
		t := r.Timing
		queued := t.Queued
		if n == 1 {
			queued = t.Durable // nobody else is in the queue: only the disk is excused
		}
		added = append(added, max(t.Total-t.Device-queued-2*f.flat, 0))
	}
	what := fmt.Sprintf("added by the daemon, %d terminals, p99", n)
	p99 := quantile(added, 99)
	f.row(what, ms(p99), "p50 "+ms(quantile(added, 50)), float64(p99)/float64(time.Millisecond), " ms", 5)
}

// wire counts exchanges and bytes of a receipt and holds its time against the
// line at 115200 baud.
func (f *figures) wire(items int) {
	var meter meter
	var commands atomic.Int64
	s := f.bench(Options{
		Config: func(c *daemon.Config) {
			c.Devices[0].Address = meter.start(f.b, c.Devices[0].Address)
			c.Devices[0].Poll = daemon.Duration(time.Hour)
		},
	})
	defer s.Close()
	s.Printers["front"].OnCommand(func([]byte) { commands.Add(1) })
	till, err := s.Till(context.Background(), "till1")
	f.fatal(err)
	_, err = till.Call(context.Background(), fiscal.VerbSale, saleOf(items)) // what is asked once a connection
	f.fatal(err)
	const sales = 5
	meter.bytes.Store(0)
	commands.Store(0)
	begin := time.Now()
	for range sales {
		_, err = till.Call(context.Background(), fiscal.VerbSale, saleOf(items))
		f.fatal(err)
	}
	took := time.Since(begin) / sales
	bytes := meter.bytes.Load() / sales
	line := time.Duration(bytes) * bitsPerByte * time.Second / baud
	f.row(fmt.Sprintf("receipt of %d items: %d exchanges, %d bytes", items, commands.Load()/sales, bytes), ms(took), "line "+ms(line), ratio(took, line), "x", 0)
}

// ready measures the start with a long journal.
func (f *figures) ready() {
	dir := f.b.TempDir()
	f.fill(dir, readyDocuments)
	s := f.stopped(dir)
	begin := time.Now()
	f.fatal(s.Start(context.Background()))
	took := time.Since(begin)
	s.Close()
	f.row(fmt.Sprintf("start to ready, %d documents", readyDocuments), ms(took), "-", float64(took)/float64(time.Millisecond), " ms", 300)
}

// stopped is a shop over dir whose daemon does not run.
func (f *figures) stopped(dir string) *Shop {
	s, err := Open(context.Background(), Options{Dir: filepath.Join(dir, "first")})
	f.fatal(err)
	f.fatal(s.Stop())
	s.Config.DataDir = dir
	return s
}

// fill makes a journal of n finished sales.
func (f *figures) fill(dir string, n int) {
	s, err := spool.Open(filepath.Join(dir, "kassad.db"), spool.Options{})
	f.fatal(err)
	const chunk = 1000
	for from := 0; from < n; from += chunk {
		f.fatal(s.Update(func(tx *spool.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				r, _, err := tx.Accept(sampleRecord(i))
				if err == nil {
					err = tx.Put(finished(r, uint32(i)+1))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	f.fatal(s.Close())
}

// growth holds a sale in a long journal against one in a short journal: the
// whole of it, as a terminal sees it, and its two transactions alone.
func (f *figures) growth() {
	var sale, disk [2]time.Duration
	for i, n := range []int{smallDocuments, *figureDocuments} {
		dir := f.b.TempDir()
		f.fill(dir, n)
		disk[i] = f.transactions(dir, n)
		s := f.stopped(dir)
		f.fatal(s.Start(context.Background()))
		till, err := s.Till(context.Background(), "till1")
		f.fatal(err)
		_, err = till.Call(context.Background(), fiscal.VerbShiftOpen, obj{"cashier": cashier})
		f.fatal(err)
		sale[i] = f.saleTime(till)
		f.fatal(s.Close())
	}
	at := fmt.Sprintf(" at %d documents, p50", *figureDocuments)
	f.row("whole sale"+at, ms(sale[1]), fmt.Sprintf("at %d %s", smallDocuments, ms(sale[0])), ratio(sale[1], sale[0]), "x", 1.2)
	f.row("its disk time"+at, ms(disk[1]), fmt.Sprintf("at %d %s", smallDocuments, ms(disk[0])), ratio(disk[1], disk[0]), "x", 0)
}

// transactions times acceptance and end of a sale after n others.
func (f *figures) transactions(dir string, n int) time.Duration {
	s, err := spool.Open(filepath.Join(dir, "kassad.db"), spool.Options{})
	f.fatal(err)
	defer s.Close()
	var took []time.Duration
	for k := range *figureSales {
		begin := time.Now()
		var r fiscal.Record
		f.fatal(s.Update(func(tx *spool.Tx) error {
			var err error
			r, _, err = tx.Accept(sampleRecord(n + k))
			return err
		}))
		f.fatal(s.Update(func(tx *spool.Tx) error { return tx.Put(finished(r, uint32(n+k)+1)) }))
		took = append(took, time.Since(begin))
	}
	return quantile(took, 50)
}

// saleTime is what a terminal waits for a sale of one item, p50.
func (f *figures) saleTime(till *Till) time.Duration {
	var took []time.Duration
	for range *figureSales {
		begin := time.Now()
		_, err := till.Call(context.Background(), fiscal.VerbSale, saleOf(1))
		f.fatal(err)
		took = append(took, time.Since(begin))
	}
	return quantile(took, 50)
}

// process measures the binary: its size, and its memory when idle.
func (f *figures) process() {
	dir := f.b.TempDir()
	bin := filepath.Join(dir, "kassad")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "kassad/cmd/kassad")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		f.b.Fatalf("build: %v\n%s", err, out)
	}
	info, err := os.Stat(bin)
	f.fatal(err)
	f.row("binary", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "-", float64(info.Size())/1e6, " MB", 25)
	config, broker := filepath.Join(dir, "kassad.toml"), freeAddress(f.b)
	text := fmt.Sprintf("data_dir = %q\n[broker]\nlisten = %q\n[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"tcp://127.0.0.1:1\"\n", dir, broker)
	f.fatal(os.WriteFile(config, []byte(text), 0o600))
	run := exec.Command(bin, "run", "--config", config)
	f.fatal(run.Start())
	defer run.Wait()
	defer run.Process.Kill()
	rss := f.settledMemory(run.Process.Pid)
	f.row("resident memory, idle", fmt.Sprintf("%.1f MB", rss), "-", rss, " MB", 30)
	for i := range 64 {
		f.greet(broker, fmt.Sprintf("till%d", i))
	}
	rss = f.settledMemory(run.Process.Pid)
	f.row("resident memory, 64 terminals", fmt.Sprintf("%.1f MB", rss), "-", rss, " MB", 60)
}

// greet connects a terminal that stays, and asks it something.
func (f *figures) greet(broker, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	t, err := mqtt.DialTerminal(ctx, mqtt.TerminalConfig{URL: "tcp://" + broker, Root: daemon.DefaultConfig().Root(), Name: name}, nil)
	f.fatal(err)
	f.b.Cleanup(t.Close)
	id := NewID()
	_, err = t.Call(ctx, string(fiscal.VerbHello), id, Request(id, obj{}), nil)
	f.fatal(err)
}

// settledMemory reads the resident memory until it stops growing.
func (f *figures) settledMemory(pid int) float64 {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := 0.0
	for range 10 {
		<-tick.C
		now := residentMB(pid)
		if now > 0 && now <= last {
			return now
		}
		last = now
	}
	return last
}

func residentMB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err == nil {
				return float64(kb) / 1024
			}
		}
	}
	return 0
}

// meter is a TCP proxy that counts what passes in both directions, at the rate
// of a serial line.
type meter struct{ bytes atomic.Int64 }

// start listens before the device at address and returns its own address.
func (m *meter) start(b *testing.B, address string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(address, "tcp://"))
			if err != nil {
				near.Close()
				continue
			}
			go m.copy(far, near)
			go m.copy(near, far)
		}
	}()
	return "tcp://" + l.Addr().String()
}

// copy passes bytes on no faster than the line carries them. Waits too short
// for a timer are carried over.
func (m *meter) copy(to, from net.Conn) {
	defer to.Close()
	const perByte = bitsPerByte * time.Second / baud
	const grain = time.Millisecond
	var free time.Time
	buf := make([]byte, 512)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		m.bytes.Add(int64(n))
		if now := time.Now(); free.Before(now.Add(-grain)) {
			free = now
		}
		free = free.Add(time.Duration(n) * perByte)
		if wait := time.Until(free); wait >= grain {
			<-time.After(wait)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
