package daemon

import (
	"time"

	"kassad/fiscal"
	"kassad/mqtt"
)

// byShown is as much of a name that nobody has proven as the log shows.
const byShown = 64

// refusedManage leaves a trace of a management request that was not carried out:
// in the log, as sparingly as of commands, and, where a right was missing, in
// the alert. It goes to who has logged in, not to the name in the request, which
// anybody may write there.
func (k *desk) refusedManage(op string, req mqtt.ManageRequest, in mqtt.Incoming, refusal *fiscal.Error) {
	who := "link " + k.s.name
	if k.s.embedded && k.d.cfg.Broker.UsersFile != "" {
		if user, ok := k.d.broker.Publisher(in.Topic, in.Payload); ok {
			who = user
		}
	}
	if refusal.Code == fiscal.CodeNoRight {
		k.d.denied.managed(who)
	}
	if before, ok := k.sparing("mgmt "+who, time.Now()); ok {
		k.d.log.Info("management refused", "op", op, "from", who, "by", clipped(req.By, byShown), "via", k.s.name, "why", refusal.Error(), "before", before)
	}
}

// clipped is at most so many characters of a text.
func clipped(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
