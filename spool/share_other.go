//go:build !windows

package spool

import "os"

func openFile(name string, flag int) (*os.File, error) { return os.OpenFile(name, flag, fileMode) }

func renameFile(from, to string) error { return os.Rename(from, to) }

func removeFile(name string) error { return os.Remove(name) }
