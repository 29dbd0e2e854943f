package sim

import (
	"io"
	"strings"
	"testing"

	"kassad/mqtt"
)

// The demo is a promise of the README: it ends with books that agree.
// It runs before the parallel tests: a serial port cannot be waited for beyond
// a thousand descriptors, and they open more.
func TestDemo(t *testing.T) {
	var out strings.Builder
	var reconciled mqtt.Reconciliation
	err := Demo(t.Context(), &out, 0, func(_ io.Writer, r mqtt.Reconciliation) error { reconciled = r; return nil })
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"ЭМУЛЯТОР", "кабель выдернут", "найден в ФН после сбоя", "новый рулон", "registered в lifepay", "done в lifepay",
		"unknown в lifepay", "done в bifit", "книги сходятся"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if !reconciled.Agrees || len(reconciled.Parts) != 3 {
		t.Errorf("the reconciliation: %s", mustJSON(reconciled))
	}
	if testing.Verbose() {
		t.Log(out.String())
	}
}
