// Kassad makes exactly one fiscal document of each sale that POS terminals
// send it over MQTT. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// notified returns a context that ends with the first signal to stop. The
// second signal has its default effect: the process ends, and what was in hand
// is found out at the next start.
func notified(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
