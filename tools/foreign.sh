#!/usr/bin/env bash
# Runs the suites that numbers and memory decide on other machines: 32 bits
# natively, arm under qemu. foreign.sh 386|arm|arm64...
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOOS=linux GOARM=6

smoke() {
	local dir
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' RETURN
	go build -trimpath -buildvcs=false -o "$dir/kassad" ./cmd/kassad
	"$@" "$dir/kassad" version
	"$@" "$dir/kassad" config init "$dir/kassad.toml" >/dev/null
	"$@" "$dir/kassad" config check --config "$dir/kassad.toml"
}

for arch in "$@"; do
	export GOARCH=$arch
	case $arch in
	386) # this machine runs it as it is
		go test -trimpath -short -timeout 10m ./fiscal/... ./spool ./devices/... ./mqtt/...
		smoke env
		;;
	arm | arm64)
		qemu=qemu-${arch/arm64/aarch64}-static
		if ! command -v "$qemu" >/dev/null; then
			echo "NOT TESTED on $arch: $qemu is missing. On Debian: apt-get install qemu-user-static" >&2
			[ "${CI:-}" = true ] && exit 1
			continue
		fi
		# Some tests of spool kill a process of their own binary, which this machine
		# cannot start without qemu.
		go test -trimpath -short -timeout 10m -exec "$qemu" -skip 'TestKilledAtAnyMoment|TestCheckOfAKilledStore' ./fiscal/... ./spool
		smoke "$qemu"
		;;
	*)
		echo "foreign: nothing is known of $arch" >&2
		exit 2
		;;
	esac
done
