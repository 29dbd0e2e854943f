//go:build !linux && !windows

package daemon

import "kassad/devices/link"

const powerHint, clockHint = "switch power saving of USB off", "let a time server set the clock"

type otherMachine struct{}

// ThisMachine is this computer.
func ThisMachine() Machine { return otherMachine{} }

func (otherMachine) Ports() ([]link.Port, error)                { return link.Ports() }
func (otherMachine) Owner(port string) (string, bool)           { return link.InUse(port) }
func (otherMachine) Access(string) (string, string, bool, bool) { return "", "", false, false }
func (otherMachine) SavesPower(link.Port) (string, bool, bool)  { return "", false, false }
func (otherMachine) ModemManager(string) (bool, bool)           { return false, true }
func (otherMachine) Antivirus() bool                            { return false }
func (otherMachine) ScanExcluded(string) (bool, bool)           { return false, false }
func (otherMachine) ClockSynced() (bool, bool)                  { return false, false }
