package shtrih

import (
	"context"
	"fmt"

	"kassad/fiscal"
	"kassad/fiscal/ffd"
)

const (
	textLinesMax = 500
	cutPartial   = 1
	firstDrawer  = 0
)

// PrintXReport prints an X report. It makes no document of the storage.
func (d *Driver) PrintXReport(ctx context.Context) error {
	return d.print(ctx, command(cmdXReport, d.opt.Password))
}

// PrintCopy prints a copy of the last document.
func (d *Driver) PrintCopy(ctx context.Context) error {
	return d.print(ctx, command(cmdCopy, d.opt.Password))
}

// OpenDrawer opens the cash drawer.
func (d *Driver) OpenDrawer(ctx context.Context) error {
	return d.print(ctx, append(command(cmdDrawer, d.opt.Password), firstDrawer))
}

// PrintText prints lines outside any receipt and cuts if asked. Lines longer
// than the paper is wide are broken.
func (d *Driver) PrintText(ctx context.Context, lines []string, cut bool) error {
	if len(lines) > textLinesMax {
		return fiscal.Refuse(fiscal.CodeTooLarge, "lines", fmt.Sprintf("%d lines, %d allowed", len(lines), textLinesMax))
	}
	if err := d.connect(ctx); err != nil {
		return untouched(err)
	}
	var messages [][]byte
	for i, l := range lines {
		text, err := ffd.EncodeText1251(l)
		if err != nil {
			return fiscal.Refuse(fiscal.CodeNotEncodable, fmt.Sprintf("lines[%d]", i), err.Error())
		}
		for _, row := range broken(text, d.lineWidth()) {
			messages = append(messages, encodeLine(d.opt.Password, row))
		}
	}
	if cut {
		messages = append(messages, append(command(cmdCut, d.opt.Password), cutPartial))
	}
	return d.print(ctx, messages...)
}

// lineWidth is the width of font 1, or of the narrowest printer.
func (d *Driver) lineWidth() int {
	const narrowest = 32
	if w := d.id.model.width; w > 0 && w <= lineBytesMax {
		return w
	}
	return narrowest
}

// broken splits text into rows; an empty text is one row with a space, since
// an empty line has no message.
func broken(text []byte, width int) [][]byte {
	if len(text) == 0 {
		return [][]byte{{' '}}
	}
	var rows [][]byte
	for len(text) > width {
		rows, text = append(rows, text[:width]), text[width:]
	}
	return append(rows, text)
}

// print sends printing commands that make no document. If some were done when
// one fails, nobody knows what the paper looks like: that is a doubt, so that
// nothing is printed twice.
func (d *Driver) print(ctx context.Context, messages ...[]byte) error {
	if err := d.connect(ctx); err != nil {
		return untouched(err)
	}
	st, err := d.ready(ctx, nil)
	if err != nil {
		return untouched(err)
	}
	if st.mode == modeDocument {
		return fiscal.Refuse(fiscal.CodePrinterBusy, "", "a receipt is open on the device")
	}
	for i, m := range messages {
		_, err := d.perform(ctx, m)
		if err == nil {
			continue
		}
		e := *toFiscal(d.refine(ctx, err))
		if i > 0 {
			e.Outcome = fiscal.OutcomeUnknown
		}
		return &e
	}
	return nil
}
