package spool

// What tests from outside need: those that use package spooltest cannot be in
// this one.
var (
	Sale     = sale
	DoneSale = done
)

// RenewCopy does at once what the keeper does now and then.
func (s *Spool) RenewCopy() error { return s.renewCopy() }

// Files are the suffixes of a store's files.
const (
	SuffixCopy = suffixCopy
	SuffixLog  = suffixLog
)
