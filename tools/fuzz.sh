#!/bin/sh
# Runs every fuzzer in turn: tools/fuzz.sh TIME [PATTERN]. TIME is what go test
# -fuzztime takes; PATTERN picks by "./package Fuzz…".
cd "$(dirname "$0")/.." || exit 1
time=${1:-30s}
targets=$(grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9]*' . |
	sed 's#^\(.*\)/[^/]*:[0-9]*:func \(.*\)#\1 \2#' | LC_ALL=C sort | grep -e "${2:-.}")
total=$(printf '%s\n' "$targets" | grep -c .)
[ "$total" -gt 0 ] || { echo "no fuzzer matches ${2}" >&2; exit 1; }
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
n=0
printf '%s\n' "$targets" | {
	while read -r package name; do
		n=$((n + 1))
		printf '%3d of %d  %s %s' "$n" "$total" "$package" "$name"
		if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 200x "$package" >"$out" 2>&1 </dev/null; then
			sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$out" | tail -1 | sed 's/^/  executions: /'
			continue
		fi
		printf '\n'
		grep -v '^fuzz: ' "$out"
		input=$(sed -n 's#.*Failing input written to \(testdata/fuzz/.*\)#\1#p' "$out" | tail -1)
		if [ -n "$input" ]; then
			echo "input:  $package/$input"
			echo "replay: go test -run '$name/$(basename "$input")' $package"
		else
			echo "replay: go test -run '$name' $package"
		fi
		exit 1
	done
}
