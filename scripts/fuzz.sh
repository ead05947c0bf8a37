#!/usr/bin/env bash
# Runs each Fuzz target for FUZZTIME (30s), one after another, because the Go
# tool fuzzes one target at a time. An argument narrows it to the packages that
# match: scripts/fuzz.sh ./mls/... A crash does not stop the others; the input
# that caused it is left in the package's testdata/fuzz, to be committed with
# the mend.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${FUZZTIME:-30s}
listing='{{$dir := .Dir}}{{$path := .ImportPath}}{{range .TestGoFiles}}{{$path}} {{$dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$path}} {{$dir}}/{{.}}
{{end}}'

files=$(go list -f "$listing" "${@:-./...}")
count=0
failed=()
while read -r package file; do
	if [[ -z $package ]]; then continue; fi
	while read -r target; do
		echo "== $package $target"
		count=$((count + 1))
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 1x "$package" </dev/null || failed+=("$package $target")
	done < <(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file")
done <<<"$files"

echo "fuzzed $count targets for $fuzztime each, ${#failed[@]} failed"
if ((${#failed[@]})); then
	printf '  %s\n' "${failed[@]}" >&2
	exit 1
fi
