#!/usr/bin/env bash
# Builds everything that a release consists of, byte for byte the same from the
# same commit: make dist. docs/release.md tells how a release is made.
#
#   OUT           where to; dist/packages
#   TARGETS       for which systems; all of them
#   VERSION       of the packages; from git
#   SOURCE_DATE_EPOCH  the time that all files get; of the last commit
set -euo pipefail
cd "$(dirname "$0")/.."

# A version that dpkg, rpm and a file name take, and that grows from commit to
# commit: 1.2.3 at the tag v1.2.3, 1.2.3+5.gHASH five commits later,
# 0.0.0~gitTIME.HASH while there is no tag. What is not committed is told.
package_version() {
	local tag dirty=
	[ -z "$(git status --porcelain --untracked-files=no)" ] || dirty=.dirty
	if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
		tag=${tag#v}
		[[ $tag =~ ^(.*)-([0-9]+)-(g[0-9a-f]+)$ ]] && tag="${BASH_REMATCH[1]}+${BASH_REMATCH[2]}.${BASH_REMATCH[3]}"
		tag=${tag//-/\~} # v1.2.3-rc1 comes before 1.2.3
	else
		tag="0.0.0~git$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S).$(git rev-parse --short=7 HEAD)"
	fi
	[ -z "$dirty" ] || [[ $tag == *[~+]* ]] || dirty=+dirty
	echo "$tag$dirty"
}

export VERSION=${VERSION:-$(package_version)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export TARGETS=${TARGETS:-linux/amd64 linux/arm64 linux/armhf linux/386 windows/amd64 windows/386}
export LC_ALL=C TZ=UTC
umask 022

if ! [[ $VERSION =~ ^[0-9][0-9A-Za-z.+~]*$ ]]; then
	echo "dist: $VERSION cannot be the version of a package: it begins with a digit and has letters, digits, . + and ~" >&2
	exit 2
fi

out=${OUT:-dist/packages}
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out"/kassad[-_]* "$out/SHA256SUMS" # of a version before
# Binaries of both halves: $BINARIES/linux-armhf/kassad, $BINARIES/windows-386/kassad.exe
export BINARIES=$out/binaries
rm -rf "$BINARIES"

say() { echo "dist: $*"; }

say "kassad $VERSION, time $SOURCE_DATE_EPOCH, into $out"
for target in $TARGETS; do
	say "binary $target"
	make --no-print-directory -s binary VERSION="$VERSION" TARGET="$target" OUT="$BINARIES/${target/\//-}/"
done

for half in linux windows; do
	if [[ $TARGETS == *$half/* && -x packaging/$half/build.sh ]]; then
		"packaging/$half/build.sh" "$out"
	fi
done

say "SBOM"
# shellcheck disable=SC2046 # no names with spaces here
go run ./tools/sbom -name kassad -version "$VERSION" -time "$SOURCE_DATE_EPOCH" \
	$(find "$BINARIES" -type f | sort) >"$out/kassad-$VERSION.cdx.json"

say "SHA256SUMS"
(cd "$out" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs -d '\n' sha256sum >SHA256SUMS)
say "done: $(wc -l <"$out/SHA256SUMS") files"
