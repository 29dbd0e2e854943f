package sim

import (
	"strings"
	"testing"
)

// The demo is a promise of the README: it ends with books that agree.
// It runs before the parallel tests: a serial port cannot be waited for beyond
// a thousand descriptors, and they open more.
func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := Demo(t.Context(), &out, 0); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"ЭМУЛЯТОР", "кабель выдернут", "найден в ФН после сбоя", "новый рулон", "книги сходятся"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if testing.Verbose() {
		t.Log(out.String())
	}
}
