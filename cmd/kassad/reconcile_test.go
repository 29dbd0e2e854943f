package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kassad/daemon"
)

// A spreadsheet reads what a person wrote as words, and long numbers as they
// are.
func TestSpreadsheetCells(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "10.50": "10,50", "-0.05": "-0,05", "1.5": "1.5", "9999078900000001": `="9999078900000001"`, "42": "42",
		"=1+1": "'=1+1", "+7916": "'+7916", "@x": "'@x", "-x": "'-x", "Иванова: проверено": "Иванова: проверено",
	} {
		if got := cell(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}

// Progress is told when it changes, and its failure is nobody's.
func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	steps := []*daemon.ReconcileProgress{
		nil, {Backend: "front", Shift: 3, Read: 1, Total: 9}, {Backend: "front", Shift: 3, Read: 1, Total: 9}, nil, {Backend: "bifit", Read: 2},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	asked := 0
	tellProgress(ctx, &out, func() (*daemon.ReconcileProgress, error) {
		asked++
		if asked == len(steps)+1 {
			cancel()
			return nil, errors.New("gone")
		}
		return steps[asked-1], nil
	}, time.Millisecond)
	if want := "front: 1 of 9 documents of shift 3 …\nbifit: 2 questions …\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
