package sim

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"

	printer "kassad/devices/emul/shtrih"
)

// quiet is the light border of a code, in modules.
const quiet = 2

// Draw writes a printed document as text, with its QR code in half blocks.
func Draw(w io.Writer, p printer.Printed) {
	for _, line := range p.Lines {
		fmt.Fprintf(w, "      │ %s\n", line)
	}
	if p.QR != "" {
		drawQR(w, p.QR)
	}
	fmt.Fprintln(w, "      ╵")
}

func drawQR(w io.Writer, text string) {
	rows, err := QR(text)
	if err != nil {
		fmt.Fprintf(w, "      │ QR: %s\n", text)
		return
	}
	for _, r := range rows {
		fmt.Fprintf(w, "      │ %s\n", r)
	}
}

// QR is a QR code as lines of half blocks, two rows of modules in one line;
// light is drawn, as on a dark terminal a reader expects light around the code.
func QR(text string) (rows []string, err error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return nil, err
	}
	size := code.Bounds().Dx()
	light := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return true
		}
		return code.At(x, y) == color.White
	}
	blocks := map[[2]bool]string{{true, true}: "█", {true, false}: "▀", {false, true}: "▄", {false, false}: " "}
	for y := -quiet; y < size+quiet; y += 2 {
		var row strings.Builder
		for x := -quiet; x < size+quiet; x++ {
			row.WriteString(blocks[[2]bool{light(x, y), light(x, y+1)}])
		}
		rows = append(rows, row.String())
	}
	return rows, nil
}
