#!/usr/bin/env bash
# Builds everything twice, the second time in another folder and with nothing
# compiled before, and compares byte for byte: make dist-check.
#
#   dist-check.sh [FOLDER]  compares with a build that is there already
#   SHARED_CACHE=1          takes what Go has compiled before: quick, and proves less
#   TARGETS, VERSION, SOURCE_DATE_EPOCH  as for dist.sh
set -euo pipefail
cd "$(dirname "$0")/.."

export VERSION=${VERSION:-0.0.0~check}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export TOOLS=${TOOLS:-$PWD/dist/tools}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

first=${1:-$work/first}
[ -n "${1:-}" ] || OUT=$first packaging/dist.sh

other=$work/another/folder
mkdir -p "$other"
tar --exclude=./.git --exclude=./dist --exclude=./bin -cf - . | tar -C "$other" -xf -
[ -n "${SHARED_CACHE:-}" ] || export GOCACHE=$work/cache
OUT=$work/second "$other/packaging/dist.sh"

diff -r "$first" "$work/second"
echo "dist-check: $(wc -l <"$work/second/SHA256SUMS") files, the same byte for byte"
