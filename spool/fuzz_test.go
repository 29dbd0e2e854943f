package spool_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// FuzzStoreFiles writes anything anywhere into one of the files of a store, or
// cuts it there: it opens, does not panic or hang, and has all that was
// acknowledged.
func FuzzStoreFiles(f *testing.F) {
	w := wear(f, true)
	names := slices.Sorted(maps.Keys(w.files))
	f.Add(uint8(0), uint32(0), []byte("garbage"))
	f.Add(uint8(0), uint32(4096), []byte{})
	f.Add(uint8(1), uint32(12), bytes.Repeat([]byte{0xFF}, 600))
	f.Add(uint8(2), uint32(512), []byte{1, 2, 3})
	f.Add(uint8(3), uint32(3*4096+10), []byte{0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte) {
		name := names[int(which)%len(names)]
		content := w.files[name]
		if len(content) == 0 {
			return
		}
		where := int(at) % len(content)
		spoilt := content[:where]
		if len(patch) > 0 {
			spoilt = splice(content, where, patch)
		}
		w.damaged(t, name, where, spoilt)
	})
}
