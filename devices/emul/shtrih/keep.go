package shtrih

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
)

// change is what a command has made of the device. In a snapshot it is all of
// the device; after one, Storage has only the documents that are not in the
// file yet, and Cells is absent unless a table was written.
type change struct {
	State   state
	Cells   map[uint32][]byte `json:",omitempty"`
	Storage json.RawMessage
	Last    []string
}

// keeper writes the device through to its file: a snapshot, then changes.
type keeper struct {
	path    string
	failed  func(error)
	file    *os.File
	written []byte            // the last change
	cells   map[uint32][]byte // as the file has them
	settled int               // documents in the file that will not change
	base    int64             // bytes of the snapshot
	added   int64             // bytes of the changes
}

// changesMin is how many bytes of changes are kept at least before a snapshot
// takes their place.
const changesMin = 1 << 20

// Keep loads the state from a file, if it is there, and writes it through from
// then on: what a command has changed is in the file before its answer leaves.
// So it survives the kill of the program as a real device's memory survives a
// power loss; a power loss of the computer may cost the last changes, since
// nothing is flushed. A write that fails switches the device off and calls
// failed. Call Keep before Serve.
func (p *Printer) Keep(path string, failed func(error)) error {
	if err := p.Load(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := &keeper{path: path, failed: failed}
	if err := k.begin(p); err != nil {
		return fmt.Errorf("keep emulator state: %w", err)
	}
	p.keeper = k
	return nil
}

// begin writes a snapshot and leaves the file open for changes.
func (k *keeper) begin(p *Printer) error {
	b, err := p.snapshot()
	if err != nil {
		return err
	}
	if k.file != nil {
		if err := k.file.Close(); err != nil {
			return err
		}
	}
	if err := replaceFile(k.path, append(b, '\n')); err != nil {
		return err
	}
	k.file, err = os.OpenFile(k.path, os.O_WRONLY|os.O_APPEND, stateFileMode)
	k.base, k.added, k.written = int64(len(b)), 0, nil
	k.cells, k.settled = maps.Clone(p.tables.Cells), p.fn.Settled()
	return err
}

// keep writes what the last command has changed, with the printer locked.
func (p *Printer) keep() {
	k := p.keeper
	if k == nil {
		return
	}
	if err := k.write(p); err != nil {
		p.keeper = nil
		go func() { // both want the lock
			p.PowerOff()
			k.failed(fmt.Errorf("keep emulator state: %w", err))
		}()
	}
}

func (k *keeper) write(p *Printer) error {
	storage, err := p.fn.Since(k.settled)
	if err != nil {
		return err
	}
	c := change{State: p.st, Storage: storage, Last: p.lastDocument}
	if !maps.EqualFunc(k.cells, p.tables.Cells, bytes.Equal) {
		c.Cells = p.tables.Cells
	}
	line, err := json.Marshal(c)
	if err != nil || bytes.Equal(line, k.written) {
		return err
	}
	if k.added > max(changesMin, k.base) {
		return k.begin(p)
	}
	n, err := k.file.Write(append(line, '\n'))
	k.added += int64(n)
	k.written, k.settled = line, p.fn.Settled()
	if c.Cells != nil {
		k.cells = maps.Clone(c.Cells)
	}
	return err
}

// replay applies the changes that follow a snapshot. The last one may be torn:
// the program died before its command was answered.
func (p *Printer) replay(dec *json.Decoder) error {
	for {
		var c change
		switch err := dec.Decode(&c); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
		if err := p.fn.Follow(c.Storage); err != nil {
			return err
		}
		p.takeOver(c)
	}
}

// takeOver brings back everything but the storage.
func (p *Printer) takeOver(c change) {
	p.st, p.lastDocument = c.State, c.Last
	for at, v := range c.Cells {
		if old, there := p.tables.Cells[at]; there && len(old) == len(v) {
			p.tables.Cells[at] = v
		}
	}
}
