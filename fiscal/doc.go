// Package fiscal is the domain of kassad: documents, money, VAT, what a
// register (ККТ) must be able to do, the codes of everything that can go
// wrong, and the rules of recovery.
//
// It is pure: no clock, no I/O, no goroutine, and it imports nothing else of
// kassad. Sources are the format order of ФНС (docs name the sections) and the
// project's MQTT contract.
package fiscal
