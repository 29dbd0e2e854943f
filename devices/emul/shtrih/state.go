package shtrih

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// snapshot is what survives a restart of the program: what survives a power
// loss of a real device.
type snapshot struct {
	Version int
	State   state
	Cells   map[uint32][]byte
	Storage json.RawMessage
	Last    []string
}

const (
	snapshotVersion = 1
	stateFileMode   = 0o600
)

// Save writes the state of the device to a file, in one step: the old file
// stays until the new one is complete.
func (p *Printer) Save(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save emulator state: %w", err)
		}
	}()
	b, err := p.snapshot()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails when the rename took it away
	if _, err := tmp.Write(b); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Chmod(stateFileMode); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (p *Printer) snapshot() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	storage, err := json.Marshal(p.fn)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(snapshot{
		Version: snapshotVersion, State: p.st, Cells: p.tables.Cells, Storage: storage, Last: p.lastDocument,
	}, "", " ")
}

// Load brings back what Save wrote. The identity of the storage comes from the
// file, not from the config. What a power loss destroys is not there; links
// start in BOOT. Call it before Serve.
func (p *Printer) Load(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("load emulator state: %w", err)
	}
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("load emulator state %s: %w", path, err)
	}
	if s.Version != snapshotVersion || s.State.Money == nil || s.State.Operational == nil {
		return fmt.Errorf("load emulator state %s: not a version %d state", path, snapshotVersion)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fn.UnmarshalJSON(s.Storage); err != nil {
		return fmt.Errorf("load emulator state %s: %w", path, err)
	}
	p.st, p.lastDocument = s.State, s.Last
	for at, v := range s.Cells {
		if old, there := p.tables.Cells[at]; there && len(old) == len(v) {
			p.tables.Cells[at] = v
		}
	}
	p.forgetVolatile(outageKind{})
	return nil
}
