package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"kassad/mqtt/mqtttest"
)

// matrixFlag chooses cells. Alone, TestMatrix runs a few and TestMatrixCell one.
var matrixFlag = flag.String("matrix", "", "cells of the cut matrix: all, part (the same, without the table), or what their names begin with, such as sale/shtrih-m/cut/out/12")

// matrixEvery is the stride of the reduced matrix, a prime: no place is left
// out for its number.
const matrixEvery = 401

// matrixAlone is the cell that TestMatrixCell runs when none is named.
const matrixAlone = "sale/shtrih-m/cut/in/200"

// TestMatrix is the cut matrix: every fault at every byte of every command.
// Without -matrix it runs every 401st cell, with MATRIX_SHARD=i/n every n-th.
func TestMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	begun := time.Now()
	t.Run("cells", func(t *testing.T) {
		for _, batch := range m.batches() {
			t.Run(batch[0].String(), func(t *testing.T) {
				t.Parallel()
				m.runBatch(t, batch)
			})
		}
	})
	m.took = time.Since(begun)
	m.finish(t)
}

// TestMatrixCell runs one cell alone and shows what the daemon says.
func TestMatrixCell(t *testing.T) {
	t.Parallel()
	name, log := *matrixFlag, mqtttest.Log(t)
	if strings.Count(name, "/") != 4 {
		name, log = matrixAlone, slog.New(slog.DiscardHandler)
	}
	c, err := parseCell(name)
	if err != nil {
		t.Fatal(err)
	}
	backend := matrixBackendOf(c.backend)
	if backend == nil {
		t.Fatalf("no backend %q", c.backend)
	}
	onBench(t, backend, log, func(b *matrixBench) {
		r, err := b.run(c)
		if err != nil && err != errUsedUp {
			t.Error(err)
		}
		for _, v := range r.violations {
			t.Error(v)
		}
		t.Logf("%s: %s %s, missed: %t", c, r.end, r.held, r.missed)
	})
}

// progress is one line on the terminal of who runs the whole matrix.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
