// Package spool keeps what kassad must not lose: the inbox and journal of
// commands, the outbox of answers, and what each fiscal storage is known to
// hold. It is a log of changes with one writer, and a bbolt file that follows
// it as its index.
//
// Everything that belongs together is written by one Update: a state of a
// command, the answer that tells of it and the document that it made are on
// disk together or not at all. Nothing is read at start: what the daemon needs
// then (queues, doubts, last answers) is reached by index.
//
// # Layout
//
// Every bucket is at the top level. Numbers in keys are big-endian, so that
// keys sort by them; a zero byte ends each name. Values are framed: a version
// byte, CRC-32C over bucket, key, version and body, and the body (codec.go).
// Values marked "raw" are derived from a framed one, and Check proves them.
//
//	bucket     key                      value
//	meta       "format"                 raw: version of this layout, 4 bytes
//	           "log"                    raw: lineage, last frame, closed (index.go)
//	           "mended"                 raw: frame up to which it need not agree with the log
//	           sequence of the bucket   the last event number
//	values     name                     framed JSON: instance id, epoch, …
//	records    seq                      framed fiscal.Record; sequence: last seq
//	ids        command id               raw: seq; or 0 and the time of a tombstone
//	tombs      time, id                 raw: empty; tombstones by age
//	queue      device 0 seq             raw: first letter of the state; not final records
//	finals     terminal 0 final seq     raw: seq, time; sequence: last final seq
//	outbox     link number, id          framed Message; sequence: last number
//	links      link name                raw: link number, 2 bytes
//	documents  FN 0 FD                  framed Entry
//	keys       key 0 FN 0 FD            raw: empty
//	cash       FN 0 shift record-id     framed CashEntry
//	reports    unix seconds, number     framed JSON: fiscal.Report; sequence: last number
//
// A bucket that a later version adds is made when a file of an earlier one is
// opened; reports is the only one so far.
//
// An outbox id is a growing number with the link's number in its low 16 bits:
// Sent needs no index to find the entry.
//
// # The way of a commit
//
// The changes of a group of callbacks become one frame of the log (frame.go),
// which is flushed; then bbolt commits without a flush, and then the callers are
// answered (commit.go). At each start the index is put back to the last
// checkpoint, whose pages are pinned, and the log is replayed from there
// (recover.go), so what became of unflushed pages is never read. If anything
// does not fit, the store is made again from its copy and the log (heal.go).
//
// # Figures
//
// One flush a commit instead of bbolt's two. With 5 ms a flush one writer
// stores about 150 records a second, against 55 of bbolt alone; 64 writers store
// 6 400, a raw log with group commit 4 900. docs/store.md has the table, and how
// much code each way needs.
//
// The freelist is written with each commit (no NoFreelistSync). Without it
// opening 100 000 documents takes 54 ms instead of 2 ms with a warm cache,
// because every page of the file is read; on a till's cold disk that is the
// difference. What retention and the pin let go is thousands of pages, so the
// list is kept sorted (an array): bbolt's map of it is sorted for each commit,
// which took half of the time of a sale after a million others.
package spool
