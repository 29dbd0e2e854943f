// Sbom writes what the binaries of a release are made of, as CycloneDX 1.5. All
// of it is read out of the binaries themselves, so it cannot tell of others:
//
//	go run ./tools/sbom -name kassad -version 1.2.3 -time 1795360324 BINARY…
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	name := flag.String("name", "kassad", "name of the product")
	version := flag.String("version", "", "its version")
	at := flag.Int64("time", 0, "seconds since 1970 that the document tells as its own")
	flag.Parse()
	if *version == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	text, err := Document(*name, *version, time.Unix(*at, 0), flag.Args())
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}
