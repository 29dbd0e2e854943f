package service

import (
	"io/fs"
	"testing"
)

// A key that another group reads, as that of a web server, stays theirs.
func TestOthersRead(t *testing.T) {
	t.Parallel()
	const ours = 900
	for _, c := range []struct {
		mode  fs.FileMode
		group int
		want  bool
	}{
		{0o640, 100, true}, {0o640, 0, false}, {0o640, ours, false}, {0o600, 100, false}, {0o600, 0, false}, {0o644, 100, false},
	} {
		if got := othersRead(c.mode, c.group, ours); got != c.want {
			t.Errorf("mode %o of group %d: %v", c.mode, c.group, got)
		}
	}
}
