#!/usr/bin/env bash
# Builds the page for browsers twice, from what git has at HEAD, and compares all
# that a server serves byte for byte: in two folders, in two time zones, with two
# languages and two masks for new files. It takes as long as two times "make web"
# from nothing, some five minutes on two cores, and is no part of "make test".
#
#   scripts/reproduce.sh [REVISION]
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=

main() {
	local revision=${1-HEAD}
	scratch=$(mktemp -d)
	trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
	TZ=UTC LC_ALL=C build "$revision" "$scratch/one" 022
	TZ=Asia/Kathmandu LC_ALL=C.UTF-8 build "$revision" "$scratch/another place/with a longer name" 077
	diff -r "$scratch/one/web/site" "$scratch/another place/with a longer name/web/site"
	echo "the same $(find "$scratch/one/web/site" -type f | wc -l) files twice; manifest: $(sha256sum <"$scratch/one/web/site/manifest.json" | cut -d ' ' -f 1)"
}

# build makes the page of a revision in a folder of its own. Each has its own
# results of the compiler, or the second would be the first once more.
build() (
	umask "$3"
	mkdir -p "$2"
	git archive "$1" | tar -x -C "$2"
	GOCACHE=$scratch/cache-$3 "$2/scripts/web.sh"
)

main "$@"
