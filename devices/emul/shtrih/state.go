package shtrih

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// snapshot is what survives a restart of the program: what survives a power
// loss of a real device.
type snapshot struct {
	Version int
	change
}

const (
	snapshotVersion = 1
	stateFileMode   = 0o600
)

// Save writes the state of the device to a file, in one step: the old file
// stays until the new one is complete.
func (p *Printer) Save(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.snapshot()
	if err == nil {
		err = replaceFile(path, b)
	}
	if err != nil {
		return fmt.Errorf("save emulator state: %w", err)
	}
	return nil
}

func replaceFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails when the rename took it away
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Chmod(stateFileMode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (p *Printer) snapshot() ([]byte, error) {
	storage, err := json.Marshal(p.fn)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(snapshot{
		Version: snapshotVersion, change: change{State: p.st, Cells: p.tables.Cells, Storage: storage, Last: p.lastDocument},
	}, "", " ")
}

// Load brings back what Save wrote, and what Keep has added to it. The identity
// of the storage comes from the file, not from the config. What a power loss
// destroys is not there; links start in BOOT. Call it before Serve.
func (p *Printer) Load(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("load emulator state: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	var s snapshot
	if err := dec.Decode(&s); err != nil {
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
	p.takeOver(s.change)
	if err := p.replay(dec); err != nil {
		return fmt.Errorf("load emulator state %s: %w", path, err)
	}
	p.forgetVolatile(outageKind{})
	return nil
}
