package bifit

import "fmt"

// RegisterStatus is a register as it is now.
type RegisterStatus struct {
	Connector string
	Serial    string
	FN        string
	State     State
	ShiftOpen bool
	Waiting   int // documents in the queue of its connector
}

// Registers lists the registers in the order of the config.
func (s *Service) Registers() []RegisterStatus {
	s.lock()
	defer s.mu.Unlock()
	var out []RegisterStatus
	for _, c := range s.st.connectors {
		for _, r := range c.registers {
			out = append(out, RegisterStatus{c.Name, r.Serial, r.storage.Serial(), r.State, r.storage.Shift().Open, len(c.live)})
		}
	}
	return out
}

// String is the word of the control interface.
func (s State) String() string {
	switch s {
	case RegisterOK:
		return "ok"
	case RegisterFault:
		return "fault"
	case RegisterBusy:
		return "busy"
	default:
		return fmt.Sprintf("state %d", int(s))
	}
}

func parseState(text string) (State, error) {
	for _, s := range []State{RegisterOK, RegisterFault, RegisterBusy} {
		if s.String() == text {
			return s, nil
		}
	}
	return 0, fmt.Errorf("state %q: ok, fault or busy", text)
}

// String is the reference's word, whatever the table of a service says.
func (s Status) String() string { return DefaultTable().Statuses.Token(int(s)) }

// String is the reference's word, as with Status; "" for no error.
func (c Cause) String() string { return DefaultTable().Causes.Token(int(c)) }

// MarshalText is String: the remote control shows words.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText is String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText is String.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText is String.
func (o On) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
