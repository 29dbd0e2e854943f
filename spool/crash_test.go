package spool

func runChild() bool { return false }
