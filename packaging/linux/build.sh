#!/usr/bin/env bash
# Packs the binaries for Linux: .deb, .rpm and .tar.gz. packaging/dist.sh calls it
# with the folder for the results and sets VERSION, SOURCE_DATE_EPOCH, TARGETS and
# BINARIES.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

say() { echo "dist: $*"; }

# Built here once for all that follows; its version is part of reproducibility.
nfpm_version=2.43.0
tools=${TOOLS:-$root/dist/tools}
nfpm=$tools/nfpm-$nfpm_version
if ! [ -x "$nfpm" ]; then
	say "nfpm $nfpm_version is built, once"
	mkdir -p "$tools"
	own=$(mktemp -d "$tools/build.XXXXXX") # two builds at once do not meet
	(cd / && GOBIN=$own GOFLAGS= GOOS= GOARCH= go install "github.com/goreleaser/nfpm/v2/cmd/nfpm@v$nfpm_version")
	mv "$own/nfpm" "$nfpm"
	rmdir "$own"
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
export STAGE=$stage/files
mkdir -p "$STAGE/docs"

# What Go's linker puts into the binary, with what its authors ask for.
licences() {
	cat packaging/linux/copyright.head
	local path version dir file
	{
		echo "Go $(go env GOVERSION) $(go env GOROOT)"
		GOOS=linux CGO_ENABLED=0 go list -deps -f '{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/kassad | sort -u
	} | while read -r path version dir; do
		printf '\n----- %s %s -----\n' "$path" "$version"
		find "$dir" -maxdepth 1 -type f \( -iname 'LICEN[CS]E*' -o -iname 'COPYING*' -o -iname 'NOTICE*' \) | sort | while read -r file; do
			printf '\n'
			tr -d '\r' <"$file"
		done
	done
}

say "texts"
cp README.md README.ru.md CHANGELOG.md cmd/kassad/kassad.toml packaging/linux/kassad.service packaging/linux/70-kassad.rules "$STAGE/"
cp docs/*.md "$STAGE/docs/"
licences >"$STAGE/copyright"
sed "s/@VERSION@/$VERSION/" packaging/linux/kassad.1 | gzip -9n >"$STAGE/kassad.1.gz"
gzip -9n <CHANGELOG.md >"$STAGE/changelog.gz"
{
	printf 'kassad (%s-1) stable; urgency=medium\n\n  * What has changed is told in changelog.gz (CHANGELOG.md).\n\n' "$VERSION"
	printf ' -- kassad maintainers <maintainers@kassad.invalid>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$STAGE/changelog.Debian.gz"
# pack_tar TARGET: everything beside the binary, and a folder of its own.
pack_tar() {
	local name=kassad-$VERSION-linux-$1 tree=$stage/tar
	rm -rf "$tree" && mkdir -p "$tree/$name/docs"
	cp "$STAGE"/{kassad,kassad.service,70-kassad.rules,kassad.toml,kassad.1.gz,copyright,README.md,README.ru.md,CHANGELOG.md} "$tree/$name/"
	cp "$STAGE"/docs/* "$tree/$name/docs/"
	chmod -R u=rwX,go=rX "$tree"
	tar -C "$tree" --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
}

for target in $TARGETS; do
	[[ $target == linux/* ]] || continue
	arch=${target#linux/}
	install -m 755 "$BINARIES/linux-$arch/kassad" "$STAGE/kassad"
	find "$STAGE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	export NFPM_ARCH=${arch/armhf/arm6}
	say ".deb, .rpm and .tar.gz for $arch"
	for kind in deb rpm; do
		(cd "$here" && "$nfpm" package -f nfpm.yaml -p "$kind" -t "$out/") >"$stage/told" || { cat "$stage/told" >&2; exit 1; }
	done
	pack_tar "$arch"
done
