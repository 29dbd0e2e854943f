package mqtt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"kassad/mqtt"
)

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	config := struct{ Password mqtt.Secret }{"hunter2"}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, format+" "+format+"\n", config, config.Password)
	}
	if err := json.NewEncoder(&out).Encode(config); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("config", "config", config, "password", config.Password)
	slog.New(slog.NewTextHandler(&out, nil)).Info("config", "config", config, "password", config.Password)
	if s := out.String(); strings.Contains(s, "hunter2") || strings.Contains(s, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("printed:\n%s", s)
	}
	if config.Password.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
	var read struct{ Password mqtt.Secret }
	if err := json.Unmarshal([]byte(`{"Password":"x"}`), &read); err != nil || read.Password != "x" {
		t.Errorf("read %v, %v", read.Password == "x", err)
	}
}
