#!/usr/bin/env bash
# Builds the browser's core where the web build looks for it: the program, and
# the support script of the Go that built it. The same source gives the same
# bytes on every machine.
set -euo pipefail
cd "$(dirname "$0")/.."

out=web/src/worker/gen
mkdir -p "$out"
GOOS=js GOARCH=wasm CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$out/sconce.wasm" ./cmd/sconce-wasm
install -m 0644 "$(go env GOROOT)/lib/wasm/wasm_exec.js" "$out/wasm_exec.js"
