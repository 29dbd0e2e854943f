package sim

import (
	"fmt"
	"image/color"
	"io"

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

// drawQR draws two rows of modules in one line of text; light is drawn, as on
// a dark terminal a reader expects light around the code.
func drawQR(w io.Writer, text string) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		fmt.Fprintf(w, "      │ QR: %s\n", text)
		return
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
		fmt.Fprint(w, "      │ ")
		for x := -quiet; x < size+quiet; x++ {
			fmt.Fprint(w, blocks[[2]bool{light(x, y), light(x, y+1)}])
		}
		fmt.Fprintln(w)
	}
}
