package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"kassad/fiscal"
)

//go:generate go test -count=1 -run=TestCodes . -update

var update = flag.Bool("update", false, "write codes.md instead of comparing it")

const codesHead = `# Codes / Коды

Generated from the table in package ` + "`fiscal`" + ` by ` + "`make generate`" + `; do not edit.
` + "`kassad codes`" + ` prints the same table, ` + "`kassad codes --json`" + ` prints it for programs.

A code is stable: programs decide by it. "Кассиру" is the field ` + "`text`" + `, "Meaning" the field ` + "`message`" + ` and
"What to do" the field ` + "`action`" + ` of an answer or an alert.
`

// sections are the natures in the order of the page.
func sections() []struct {
	nature  fiscal.Nature
	heading string
} {
	return []struct {
		nature  fiscal.Nature
		heading string
	}{
		{fiscal.Content, "## content: the command is wrong\n\nКоманда отклонена, документа нет. The final state is `rejected`. Two codes have states of their own:\n`expired` and `cancelled`."},
		{fiscal.Condition, "## condition: the command waits\n\nКоманда принята и ждёт; когда причина исчезнет, документ будет сделан. The state is `accepted` with `waiting`. The same\ncodes stand as alerts of the device."},
		{fiscal.Doubt, "## doubt: a person decides\n\nРешает человек, повторять чек нельзя. The state is `held`; see [recovery.md](recovery.md)."},
		{fiscal.Notice, "## notice: an alert\n\nПредупреждение; ни одна команда из-за него не отклоняется. No command fails of it."},
	}
}

func codesPage() []byte {
	var page bytes.Buffer
	page.WriteString(codesHead)
	for _, s := range sections() {
		rows := [][]string{{"code", "Кассиру", "Meaning", "What to do"}}
		for _, c := range fiscal.Codes() {
			if c.Nature == s.nature {
				rows = append(rows, []string{"`" + string(c.Code) + "`", c.Russian, c.English, c.Action})
			}
		}
		fmt.Fprintf(&page, "\n%s\n\n%s", s.heading, markdown(rows))
	}
	return page.Bytes()
}

// markdown prints an aligned table whose first row is the header.
func markdown(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var out strings.Builder
	line := func(cells []string, pad string) {
		for i, cell := range cells {
			out.WriteString("| " + cell + strings.Repeat(pad, widths[i]-len([]rune(cell))) + " ")
		}
		out.WriteString("|\n")
	}
	line(rows[0], " ")
	line(make([]string, len(rows[0])), "-")
	for _, row := range rows[1:] {
		line(row, " ")
	}
	return out.String()
}

// TestCodes compares codes.md with the table of codes. "make generate" writes
// it.
func TestCodes(t *testing.T) {
	t.Parallel()
	const file = "codes.md"
	want := codesPage()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (%v): run make generate", file, err)
	}
}
