package mqtt_test

import (
	"testing"

	"go.uber.org/goleak"

	"kassad/mqtt/mqtttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, mqtttest.LeakOptions()...) }
