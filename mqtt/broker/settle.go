package broker

import (
	"context"
	"time"
)

const settlePoll = 2 * time.Millisecond

// Settle waits until the daemon has left and every connected client has
// acknowledged what it was sent, or ctx ends: what a publisher was told is
// taken would otherwise be lost when the broker closes, for it keeps nothing.
//
// The library acknowledges a publish before it hands it on, but takes the
// packets of a connection one by one: once the daemon's DISCONNECT has come,
// everything before it is on its way.
func (b *Broker) Settle(ctx context.Context) {
	for b.owing() && ctx.Err() == nil {
		pause(settlePoll, ctx.Done())
	}
}

func (b *Broker) owing() bool {
	for _, cl := range b.server.Clients.GetAll() {
		if cl.Closed() || cl.Net.Inline {
			continue
		}
		if who, _ := b.hook.role(cl); who == roleDaemon || cl.State.Inflight.Len() > 0 {
			return true
		}
	}
	return false
}
