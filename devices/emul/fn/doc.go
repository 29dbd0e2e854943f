// Package fn models a fiscal storage (ФН): the sealed chip that numbers and
// signs every fiscal document, independent of the printer around it.
//
// It keeps what a real one keeps: life phase, shift, one document in
// progress, an archive, the queue for the operator (ОФД), counters and the
// rules of time. Its [Storage.Ledger] is what the tax office would see, which
// tests and the demo compare with what the daemon believes.
//
// Rules come from the project's format reference, sections 1 to 5, and from
// the FN chapters of the Shtrih-M reference (2.1, 3.8, 4.5). Fiscal signs are
// pseudo-random: nothing here can be mistaken for a real document, and the
// package must never talk to a real storage or operator.
package fn
