#!/usr/bin/env bash
# Repeats the tests that draw their own inputs, each round with new ones, until
# SOAKTIME seconds (600) are over or one fails: the property tests with
# SOAKCHECKS (2000) cases a property, and the simulation of many clients and
# servers. With a C compiler it looks for data races too.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SOAKTIME:-600}
checks=${SOAKCHECKS:-2000}

race=()
if command -v "${CC:-gcc}" >/dev/null; then
	export CGO_ENABLED=1
	race=(-race)
else
	echo 'left out: the race detector, which needs a C compiler'
fi

# Only packages whose tests use rapid know its flags.
listing='{{range .TestImports}}{{if eq . "pgregory.net/rapid"}}{{$.ImportPath}}
{{end}}{{end}}{{range .XTestImports}}{{if eq . "pgregory.net/rapid"}}{{$.ImportPath}}
{{end}}{{end}}'
packages=$(go list -f "$listing" ./...)
mapfile -t properties < <(sort -u <<<"$packages" | sed '/^$/d')

# The simulation takes SOAKSEEDS (1000) seeds a round, other ones each time.
seeds=${SOAKSEEDS:-1000}

end=$((SECONDS + seconds))
round=0
while ((SECONDS < end)); do
	round=$((round + 1))
	echo "== round $round, $((end - SECONDS)) s left"
	if ((${#properties[@]})); then
		go test "${race[@]}" -count=1 "${properties[@]}" -rapid.checks="$checks"
	fi
	SCONCE_TESTNET_SEED=$(((round - 1) * seeds + 1)) SCONCE_TESTNET_SEEDS=$seeds \
		go test "${race[@]}" -count=1 -timeout 4h -run TestNetworkHealsWhateverHappens ./internal/testnet/
done
echo "soaked $round rounds"
