#!/usr/bin/env bash
# Builds the page for browsers into web/site, from where Go embeds it: the client
# core as WASM, the screens around it, then the packing. Does nothing when
# nothing changed since the last time.
#
# The same source gives the same bytes on every machine with the same Go and the
# packages of web/package-lock.json; docs/release.md says how that is checked.
#
#   scripts/web.sh            build if something changed
#   scripts/web.sh --if-able  the same, but without Node only say so
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
	if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
		echo 'the page for browsers needs Node 20 or later and npm (Debian: apt-get install nodejs npm)' >&2
		[[ ${1-} == --if-able ]] && return 0
		return 1
	fi
	local now
	now=$(fingerprint)
	if [[ -e web/site/manifest.json && -e web/build/built && $(<web/build/built) == "$now" ]]; then
		return 0
	fi
	rm -f web/build/built
	packages
	scripts/wasm.sh
	(cd web && node_modules/.bin/tsc --noEmit && node_modules/.bin/vite build --logLevel warn)
	go run ./web/pack web/dist web/site
	echo "$now" >web/build/built
}

# fingerprint is one hash of all that the page is made from: the compiler, and
# every file of the folders that go into it but tests and documents.
fingerprint() {
	{
		go version
		node --version
		find go.mod go.sum scripts/web.sh scripts/wasm.sh web cmd/sconce-wasm client content room mls identity api \
			\( -name node_modules -o -path web/dist -o -path web/build -o -path web/site -o -path web/src/worker/gen -o -name testdata \) -prune -o \
			-type f ! -name '*_test.go' ! -name '*.md' -print0 | sort -z | xargs -0 sha256sum
	} | sha256sum
}

# packages brings what package-lock.json says, and nothing else.
packages() {
	local wanted=web/build/packages
	mkdir -p web/build
	if [[ -d web/node_modules && -e $wanted ]] && cmp -s "$wanted" web/package-lock.json; then
		return 0
	fi
	rm -f "$wanted"
	(cd web && npm ci --no-audit --no-fund --loglevel=error)
	cp web/package-lock.json "$wanted"
}

main "$@"
