//go:build !unix

package owner

import (
	"io/fs"
	"os"
)

// The folder decides here who may do what with the files in it.

func inherit(*os.File) {}

func inheritPath(string) {}

func copyOwners(string, fs.FileInfo) error { return nil }

func guestOf(string) (string, bool) { return "", false }

func strange(string) (string, []string) { return "", nil }

func giveBack(string, int, int) ([]string, error) { return nil, nil }
