package daemon

import (
	"strings"
	"testing"
)

// A number without a unit would be nanoseconds, and every sale late.
func TestTimesNeedAUnit(t *testing.T) {
	t.Parallel()
	const device = "[[device]]\nname = \"front\"\nkind = \"shtrih-m\"\naddress = \"serial://COM3\"\n"
	const bifit = "[bifit]\nconnector_token_file = \"/t\"\ntaxation = \"osn\"\n"
	for _, c := range []struct{ before, after, want string }{
		{"late_after = 5", "", "late_after"},
		{"unknown_after = 900", "", "unknown_after"},
		{"late_after = \"5s\"\nunknown_after = \"1ms\"", "poll = \"0s\"", ""},
		{"", "poll = 2", "poll"},
		{"", "quiet_time = 200_000", "quiet_time"},
		{"", "[[route]]\nname = \"default\"\nbackends = [\"front\"]\nfallback_after = 30", "fallback_after"},
		{"", bifit + "timeout = 10", "bifit.timeout"},
		{"", bifit + "idempotency_window = 24", "bifit.idempotency_window"},
		{"", bifit + "confirm_within = 15", "bifit.confirm_within"},
	} {
		cfg, err := ParseConfig([]byte(c.before + "\n" + device + c.after))
		if err != nil {
			t.Errorf("%s %s: %v", c.before, c.after, err)
			continue
		}
		cfg.DataDir = t.TempDir()
		err = cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !(strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), "with its unit")) {
			t.Errorf("%s %s: %v, want %q", c.before, c.after, err, c.want)
		}
	}
}
