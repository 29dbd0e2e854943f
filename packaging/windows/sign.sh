#!/usr/bin/env bash
# Signs a file for Windows in its place and holds the signature against SIGN_CA:
# sign.sh FILE. SIGN_WITH is what osslsigncode signs with, for example
#   SIGN_WITH="-pkcs12 kassad.p12 -readpass password -ts http://TIME-SERVICE"
# Without it the file stays as it is, and that is told.
set -euo pipefail
file=$1

if [ -z "${SIGN_WITH:-}" ]; then
	echo "sign: NOT SIGNED: ${file##*/}. SIGN_WITH is not set; Windows will warn of an unknown publisher (docs/release.md)" >&2
	exit 0
fi
command -v osslsigncode >/dev/null || { echo "sign: osslsigncode is missing; on Debian: apt-get install osslsigncode" >&2; exit 1; }
case " $SIGN_WITH " in
*" -ts "* | *" -t "*) ;;
*) echo "sign: no time stamp (-ts) on ${file##*/}: the signature ends with the certificate" >&2 ;;
esac

signed=$(mktemp -d)
trap 'rm -rf "$signed"' EXIT
read -ra with <<<"$SIGN_WITH"
# What it says goes nowhere unless it fails: it repeats its arguments.
if ! osslsigncode sign "${with[@]}" -h sha256 -n kassad -in "$file" -out "$signed/file" >"$signed/log" 2>&1 ||
	! osslsigncode verify -CAfile "${SIGN_CA:-/etc/ssl/certs/ca-certificates.crt}" -in "$signed/file" >"$signed/log" 2>&1; then
	cat "$signed/log" >&2
	echo "sign: ${file##*/} could not be signed with a certificate that SIGN_CA vouches for" >&2
	exit 1
fi
cat "$signed/file" >"$file"
echo "sign: ${file##*/}"
