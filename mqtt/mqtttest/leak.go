package mqtttest

import "go.uber.org/goleak"

// LeakOptions lets goleak forgive the library for the five seconds that its
// functions wait when their connection is lost under them. A link does not
// wait for them.
func LeakOptions() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/eclipse/paho%2emqtt%2egolang.(*client).Publish"),
		goleak.IgnoreAnyFunction("github.com/eclipse/paho%2emqtt%2egolang.(*client).Subscribe"),
	}
}
