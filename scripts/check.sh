#!/usr/bin/env bash
# The checks that need no test to run: formatting, vet, and that the browser's
# part of the client still compiles. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(find . -name '*.go' -not -path '*/node_modules/*' -not -path './.git/*' -print0 | xargs -0 -r gofmt -l)
if [[ -n $unformatted ]]; then
	printf 'not formatted (run gofmt -w on them):\n%s\n' "$unformatted" >&2
	exit 1
fi

go vet ./...

# `go vet ./...` sees the host's files only. The list leaves out client/native,
# which needs a disk and sockets and is never built for a browser.
browser=()
for dir in client client/wire client/bridge client/browser cmd/sconce-wasm; do
	if compgen -G "$dir/*.go" >/dev/null; then
		browser+=("./$dir")
	fi
done
if ((${#browser[@]})); then
	GOOS=js GOARCH=wasm go build "${browser[@]}" # of several packages it keeps nothing
fi
