// Package shtrih drives Shtrih-M fiscal printers (ККТ with ФН) by protocol 1.0.
//
// Files: frame.go is the pure codec of frames, conn.go the conversation
// (ENQ/ACK/NAK), command.go and answer.go the layout of messages, errors.go the
// vendor's error table; the others are the driver, one concept a file. Section
// numbers in comments are those of the vendor reference kept with the project.
//
// The driver must never send a document a second time after a doubt, never
// cancel a receipt that is not provably ours, and never conclude anything about
// a fiscal document from the link alone: the fiscal storage is asked.
package shtrih
