#!/usr/bin/env bash
# Makes the generated code again. With --check it also fails if that changed
# anything: then somebody edited a source and did not run `make generate`, or
# edited generated code. The tree is left with the new code, ready to commit.
set -euo pipefail
cd "$(dirname "$0")/.."

# fingerprint prints a hash for each file that git follows or could follow.
fingerprint() {
	git ls-files -z --cached --others --exclude-standard | sort -zu |
		while IFS= read -r -d '' file; do
			if [[ -f $file ]]; then printf '%s\0' "$file"; fi
		done | xargs -0 -r sha256sum
}

generate() {
	# sqlc has a go.mod of its own, so that its dependencies never become
	# Sconce's. The first run compiles it, which takes a minute or two; without
	# cgo, so that it is the same parser for everyone.
	local config
	while IFS= read -r -d '' config; do
		echo "sqlc generate -f $config"
		CGO_ENABLED=0 go tool -modfile=internal/tools/go.mod sqlc generate -f "$config"
	done < <(find . -name sqlc.yaml -not -path '*/node_modules/*' -not -path '*/testdata/*' -print0 | sort -z)
	go generate ./...
}

case ${1-} in
'')
	generate
	;;
--check)
	before=$(fingerprint)
	generate
	after=$(fingerprint)
	if [[ $before != "$after" ]]; then
		echo 'generated code was out of date; these files changed:' >&2
		diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ { print "  " $3 }' | sort -u >&2
		exit 1
	fi
	;;
*)
	echo "usage: $0 [--check]" >&2
	exit 2
	;;
esac
