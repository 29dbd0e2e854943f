package devices

import (
	"fmt"
	"os"
	"sync"
)

// traceMax bounds a trace: the file and the one before it.
const traceMax = 16 << 20

// traceFile appends to a file and starts it anew when it is full, keeping the
// one before. A trace that cannot be written must not stop a sale: the error
// goes to the caller, who counts it.
type traceFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
}

// Write implements io.Writer.
func (t *traceFile) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil || t.size+int64(len(p)) > traceMax {
		if err := t.turn(); err != nil {
			return 0, fmt.Errorf("trace: %w", err)
		}
	}
	n, err := t.file.Write(p)
	t.size += int64(n)
	return n, err
}

// turn opens the file, or moves a full one aside first.
func (t *traceFile) turn() error {
	if t.file != nil {
		t.file.Close()
		t.file = nil
		if err := os.Rename(t.path, t.path+".1"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	t.file, t.size = f, info.Size()
	return nil
}
