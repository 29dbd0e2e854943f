#!/usr/bin/env bash
# Packages for Windows: build.sh OUT. An installer for 64-bit Windows, and an
# archive for each, of the binaries in $BINARIES/windows-amd64 and windows-386.
# The same input gives the same bytes; only signatures are new each time.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
: "${VERSION:?}" "${SOURCE_DATE_EPOCH:?}" "${BINARIES:?}"

for tool in wixl:wixl msidump:msitools zip:zip; do
	command -v "${tool%:*}" >/dev/null || { echo "windows: ${tool%:*} is missing; on Debian: apt-get install ${tool#*:}" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# windows_text puts a text where Notepad reads it.
windows_text() {
	{ printf '\xef\xbb\xbf'; sed "s/@VERSION@/$VERSION/; s/\$/\r/" "$1"; } >"$2"
}

# files are what comes with a binary, all of one time.
files() {
	local arch=$1 to=$2
	mkdir -p "$to"
	cp "$BINARIES/windows-$arch/kassad.exe" "$to/"
	"$here/sign.sh" "$to/kassad.exe"
	windows_text "$here/README.txt" "$to/README.txt"
	windows_text "$here/../../cmd/kassad/kassad.toml" "$to/kassad.toml"
	touch -d "@$SOURCE_DATE_EPOCH" "$to"/*
}

archive() {
	local name=kassad-$VERSION-windows-$1
	rm -f "$out/$name.zip"
	mv "$work/$1" "$work/$name"
	(cd "$work" && zip -q -X -D "$out/$name.zip" "$name/kassad.exe" "$name/README.txt" "$name/kassad.toml")
	mv "$work/$name" "$work/$1"
}

# uuid is the name-based one (RFC 9562, version 5) of the arguments in the space
# of kassad's upgrade code.
readonly upgrade=6B7C6F0E-3F1D-5A52-9B1C-2F6E0D1A7C44
uuid() {
	local space h
	space=$(sed 's/-//g; s/../\\x&/g' <<<"$upgrade")
	h=$({ printf '%b' "$space"; printf '%s' "$*"; } | sha1sum)
	printf '%s-%s-5%s-%x%s-%s\n' "${h:0:8}" "${h:8:4}" "${h:13:3}" $((0x${h:16:1} & 3 | 8)) "${h:17:3}" "${h:20:12}" | tr a-f A-F
}

# installer: Windows Installer compares the first three numbers of a version.
installer() {
	local number content product package files=$work/amd64
	[[ $VERSION =~ ^([0-9]+\.[0-9]+\.[0-9]+)([+~.].*)?$ ]] || { echo "windows: $VERSION does not begin with three numbers" >&2; exit 2; }
	number=${BASH_REMATCH[1]}
	content=$(cat "$files/kassad.exe" "$files/README.txt" "$here/kassad.wxs" "$here/sentences.sed" "$here/build.sh" | sha256sum)
	product=$(uuid product "$VERSION" "${content%% *}" "$SOURCE_DATE_EPOCH")
	package=$(uuid package "$product")
	# wixl takes no absolute path of a file.
	(cd "$work" && wixl --arch x64 -D VERSION="$number" -D FULL="$VERSION" -D PRODUCT="$product" -D UPGRADE="$upgrade" -D FILES=amd64 -o raw.msi "$here/kassad.wxs")
	rebuild "$work/raw.msi" "$work/kassad.msi" "$package"
	"$here/sign.sh" "$work/kassad.msi"
	cp "$work/kassad.msi" "$out/kassad-$VERSION-x64.msi"
}

# rebuild makes the database again from its tables: wixl draws a package code,
# writes the time of now, leaves strings in the order of its memory, and loses
# Cyrillic letters. 1251 is the code page of the sentences.
rebuild() {
	local from=$1 to=$2 package=$3 tables=$work/tables time t
	time=$(date -u -d "@$SOURCE_DATE_EPOCH" '+%Y\/%m\/%d %H:%M:%S')
	mkdir "$tables"
	(cd "$tables" && msidump -s -t "$from" >/dev/null)
	sed -i "s/^9\t[^\r]*/9\t{$package}/; s/^1\([23]\)\t[^\r]*/1\1\t$time/" "$tables/_SummaryInformation.idt"
	sed -i -f "$here/sentences.sed" "$tables/LaunchCondition.idt"
	printf '\r\n\r\n1251\t_ForceCodepage\r\n' >"$tables/_ForceCodepage.idt"
	rm -f "$to"
	msibuild "$to" -i "$tables/_SummaryInformation.idt"
	for t in "$tables"/[A-Z]*.idt; do
		[[ $t == */LaunchCondition.idt ]] || msibuild "$to" -i "$t"
	done
	msibuild "$to" -a kassad.cab "$tables/_Streams/kassad.cab"
	# Last, with nothing written after it: msibuild counts the letters of a database
	# that it opens again wrongly. It also fails at a text of some 400 bytes.
	msibuild "$to" -i "$tables/_ForceCodepage.idt"
	msibuild "$to" -i "$tables/LaunchCondition.idt"
}

for arch in amd64 386; do
	[ -d "$BINARIES/windows-$arch" ] || continue
	echo "windows: $arch"
	files "$arch" "$work/$arch"
	archive "$arch"
done
if [ -d "$work/amd64" ]; then
	installer
fi
