//go:build packages

package windows_test

import (
	"strings"
	"testing"
)

// TestReadme holds the commands of both pages against those that TestInstaller
// runs.
func TestReadme(t *testing.T) {
	const (
		install = "```bat windows\nmsiexec /i kassad-VERSION-x64.msi /qn\ncd /d \"C:\\Program Files\\kassad\"\nkassad setup\n```\n"
		remove  = "```bat windows-remove\nmsiexec /i kassad-VERSION-x64.msi /qn REINSTALL=ALL REINSTALLMODE=a\nmsiexec /x kassad-VERSION-x64.msi /qn\n```\n"
	)
	for _, page := range []string{"../../README.md", "../../README.ru.md"} {
		text := string(read(t, page))
		if !strings.Contains(text, install) || !strings.Contains(text, remove) {
			t.Errorf("%s has other commands for Windows", page)
		}
	}
}
