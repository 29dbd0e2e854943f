package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"kassad/daemon"
	"kassad/mqtt"
)

type statusCommand struct {
	configFlag
	jsonFlag
}

// Help ends the help of status.
func (statusCommand) Help() string {
	return `Columns of devices: LINK says whether the device answers, FN DAYS how long the fiscal storage lasts,
UNSENT how many documents the tax operator has not confirmed, QUEUE how many commands wait.

Examples:
  kassad status --config kassad.toml
  kassad status --json`
}

// Run asks the daemon and prints its answer.
func (c *statusCommand) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	raw, err := ask(e, cfg, "status", operator(), nil)
	if err != nil {
		return mustRun(cfg, err)
	}
	if c.JSON {
		return printJSON(e.stdout, raw)
	}
	var o daemon.Overview
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return printOverview(e.stdout, o)
}

func printOverview(w io.Writer, o daemon.Overview) error {
	fmt.Fprintf(w, "kassad %s, %s, since %s\n\n", o.Version, o.Root, local(time.Time(o.Since)))
	t := newTable(w, "DEVICE", "LINK", "SHIFT", "PAPER", "FN", "FN DAYS", "LAST FD", "UNSENT", "QUEUE", "CONDITIONS")
	for _, name := range slices.Sorted(maps.Keys(o.Devices)) {
		t.row(deviceCells(name, o.Devices[name])...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "BROKER", "ROLE", "UP", "WHY")
	for _, l := range o.Links {
		t.row(l.Name, l.Role, yesNo(l.Up), l.Reason)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nqueued %d, in clouds %d, unknown %d, held %d, messages to send %d\n", o.Spool.Queued, o.Spool.Registered, len(o.Spool.Unknown), len(o.Spool.Held), o.Spool.Outbox)
	for _, id := range o.Spool.Held {
		fmt.Fprintf(w, "held: %s (kassad spool show %s)\n", id, id)
	}
	if c := o.Callback; c != nil {
		by := "by relays only"
		if c.Listen != "" {
			by = "listening on " + c.Listen
		}
		fmt.Fprintf(w, "callbacks: %s, %s, heard %d, refused %d, unreadable %d\n", c.URL, by, c.Heard, c.Refused, c.Unreadable)
	}
	return printAlerts(w, o.Alerts)
}

func printAlerts(w io.Writer, alerts []mqtt.Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "ALERT", "DEVICE", "SINCE", "TEXT", "TRY")
	for _, a := range alerts {
		t.row(string(a.Code), a.Device, local(time.Time(a.Since)), strings.TrimSuffix(a.Message+": "+a.Detail, ": "), a.Action)
	}
	return t.flush()
}

// deviceCells is a device in the table of devices; what is not known is left
// out, never zero.
func deviceCells(name string, d mqtt.DeviceState) []string {
	cells := []string{name, "ok", "", yesNo(d.Paper), "", "", "", "", strconv.Itoa(d.Queued), codeList(d)}
	if !d.Link {
		cells[1], cells[3] = "away", ""
	}
	if s := d.Shift; s != nil {
		cells[2] = fmt.Sprintf("%d %s", s.Number, shiftWord(s))
	}
	if d.FN != nil {
		cells[4], cells[5], cells[6] = d.FN.Serial, strconv.Itoa(d.FN.DaysLeft), strconv.FormatUint(uint64(d.FN.LastFD), 10)
	}
	if d.OFD != nil {
		cells[7] = strconv.FormatUint(uint64(d.OFD.Unsent), 10)
	}
	return cells
}

func shiftWord(s *mqtt.ShiftState) string {
	switch {
	case s.Expired:
		return "over 24 h"
	case s.Open:
		return "open"
	default:
		return "closed"
	}
}

func codeList(d mqtt.DeviceState) string {
	var list []string
	for _, c := range append(slices.Clone(d.Conditions), d.Warnings...) {
		list = append(list, string(c))
	}
	if d.Why != "" && !slices.Contains(list, string(d.Why)) {
		list = append([]string{string(d.Why)}, list...)
	}
	return strings.Join(list, " ")
}
