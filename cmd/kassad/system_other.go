//go:build !linux && !windows

package main

import "runtime"

func systemVersion() string { return runtime.GOOS }
