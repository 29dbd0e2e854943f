// Package daemon joins the parts: it takes commands from the links, stores
// them, moves each device's queue through fiscal.Step, and lets results leave
// through the outbox.
//
// Order of life: the store opens first and closes last; a worker per device
// runs before any link is up, so that what was in doubt is being found out
// before new commands come. A failed flush is fatal: Run returns, the process
// ends, and the next start finds everything out again.
package daemon
