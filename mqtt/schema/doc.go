// Package schema holds the JSON Schemas (draft 2020-12) of every message of
// the MQTT contract, one file a message. They are generated from the wire types
// of package mqtt, and the tests here fail when they are stale, when an example
// of the documentation does not fit them, or when a running daemon publishes
// something that they do not allow.
//
// Schemas of requests are closed, as kassad refuses unknown fields. Schemas of
// what kassad publishes are open: a later version may add fields.
package schema

//go:generate go test -count=1 -run=TestFilesAreCurrent . -update
