package main

import (
	"reflect"
	"regexp"
	"testing"

	"kassad/daemon"
)

// The two kinds of commented lines of the sample.
var (
	defaultLine = regexp.MustCompile(`(?m)^#([a-z])`)
	exampleLine = regexp.MustCompile(`(?m)^## `)
)

// TestSampleDefaults uncomments what the sample calls defaults: nothing may
// change by it.
func TestSampleDefaults(t *testing.T) {
	t.Parallel()
	silent, err := daemon.ParseConfig([]byte(sampleConfig))
	if err != nil {
		t.Fatal(err)
	}
	loud, err := daemon.ParseConfig(defaultLine.ReplaceAll([]byte(sampleConfig), []byte("$1")))
	if err != nil {
		t.Fatal(err)
	}
	if len(defaultLine.FindAllString(sampleConfig, -1)) < 10 {
		t.Error("the sample names few defaults")
	}
	loud.DataDir = silent.DataDir // differs between systems, as the sample says
	if !reflect.DeepEqual(silent, loud) {
		t.Errorf("the sample's defaults are\n%+v\nthose of the program\n%+v", loud, silent)
	}
	if silent.DataDir = "/var/lib/kassad"; silent.Validate() != nil {
		t.Error(silent.Validate())
	}
}

// TestSampleExamples uncomments everything: examples are valid, too.
func TestSampleExamples(t *testing.T) {
	t.Parallel()
	text := defaultLine.ReplaceAll([]byte(sampleConfig), []byte("$1"))
	cfg, err := daemon.ParseConfig(exampleLine.ReplaceAll(text, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if len(cfg.MQTT) != 1 || len(cfg.Terminals) != 1 || len(cfg.Managers) != 1 || cfg.Devices[0].TraceFile == "" {
		t.Errorf("not every example was read: %+v", cfg)
	}
}

// TestSampleIsComplete finds every key of the configuration in the sample.
func TestSampleIsComplete(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]bool{
		"client_id": true, // the instance's own is right nearly always
	}
	for _, key := range keys(reflect.TypeFor[daemon.Config]()) {
		found := regexp.MustCompile(`(?m)^(#|## )?(\[*)?([a-z0-9]+\.)*` + key + `\b`).MatchString(sampleConfig)
		if !found && !elsewhere[key] {
			t.Errorf("the sample is silent on %s", key)
		}
	}
}

// keys lists the TOML keys of a struct and of what it holds.
func keys(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return keys(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var all []string
	for f := range t.Fields() {
		if f.Anonymous {
			all = append(all, keys(f.Type)...)
		}
		if key := f.Tag.Get("toml"); key != "" {
			all = append(append(all, key), keys(f.Type)...)
		}
	}
	return all
}
