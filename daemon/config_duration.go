package daemon

import (
	"fmt"
	"slices"
	"time"
)

// Duration is a time in the notation of Go: "24h", "30s".
type Duration time.Duration

// durationMin is less than anybody means: TOML gives a number without a unit
// to a Duration as nanoseconds.
const durationMin = time.Millisecond

// UnmarshalText reads "24h".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 30s, 15m or 24h", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText prints "24h0m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d Duration) validate(key string) []error {
	if d == 0 || time.Duration(d) >= durationMin {
		return nil
	}
	return []error{fmt.Errorf("%s is %s: write a time with its unit and in quotes, such as \"30s\", \"15m\" or \"24h\"", key, time.Duration(d))}
}

func (c Config) validateDurations() []error {
	errs := append(c.LateAfter.validate("late_after"), c.UnknownAfter.validate("unknown_after")...)
	for i, d := range c.Devices {
		where := fmt.Sprintf("device[%d] %q: ", i, d.Name)
		errs = append(errs, d.Poll.validate(where+"poll")...)
		errs = append(errs, d.QuietTime.validate(where+"quiet_time")...)
	}
	for _, r := range c.Routes {
		errs = append(errs, r.FallbackAfter.validate(fmt.Sprintf("route %q: fallback_after", r.Name))...)
	}
	return errs
}

func (c CloudConfig) validateDurations(section string) []error {
	return slices.Concat(
		c.Timeout.validate(section+".timeout"),
		c.IdempotencyWindow.validate(section+".idempotency_window"),
		c.ConfirmWithin.validate(section+".confirm_within"),
	)
}
