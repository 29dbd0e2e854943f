package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// On a real terminal a person is asked, and a no ends it before anything is
// written.
func TestSetupOnTerminal(t *testing.T) {
	t.Parallel()
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	defer tty.Close()
	if _, err := keyboard.WriteString("perhaps\nнет\n"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out, told strings.Builder
	status := run(t.Context(), []string{"setup", "--lang", "ru", "--config", filepath.Join(dir, "kassad.toml"), "--address", "tcp://127.0.0.1:1"}, tty, &out, &told)
	if status != exitFailed || !strings.Contains(told.String(), "kassad: настройка закончена, ничего не записано\nпопробуйте: подключите и включите ККТ") || exists(filepath.Join(dir, "kassad.toml")) {
		t.Errorf("%d\n%s\n%s", status, &out, &told)
	}
	for _, w := range []string{"ККТ не найдена", "Продолжить без неё?", "ответьте да или нет"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("nothing of %q in\n%s", w, &out)
		}
	}
}
