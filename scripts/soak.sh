#!/usr/bin/env bash
# Repeats the tests that draw their own inputs, each round with new ones, until
# SOAKTIME seconds (600) are over or one fails: the property tests with
# SOAKCHECKS (2000) cases a property, and the simulation of many clients and
# their server with SOAKSEEDS (1000) seeds from SOAKFIRST (1) on, a tenth of them
# on PostgreSQL too, where SCONCE_TEST_POSTGRES names one. A round is finished
# that was begun, so seeds 1 to 1000 are always lived through; to go on where an
# earlier soak was cut off, give SOAKFIRST the seed. With a C compiler it looks for
# data races too.
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

seeds=${SOAKSEEDS:-1000}
first=${SOAKFIRST:-1}
if [[ -z ${SCONCE_TEST_POSTGRES-} ]]; then
	echo 'left out: the simulation on PostgreSQL, since SCONCE_TEST_POSTGRES names none'
fi

end=$((SECONDS + seconds))
round=0
while ((SECONDS < end)); do
	round=$((round + 1))
	echo "== round $round, $((end - SECONDS)) s left"
	if ((${#properties[@]})); then
		go test "${race[@]}" -count=1 "${properties[@]}" -rapid.checks="$checks"
	fi
	SCONCE_TESTNET_SEED=$((first + (round - 1) * seeds)) SCONCE_TESTNET_SEEDS=$seeds SCONCE_TESTNET_POSTGRES_SEEDS=$(((seeds + 9) / 10)) \
		go test "${race[@]}" -count=1 -timeout 4h -run 'TestNetworkHeals' ./internal/testnet/
done
echo "soaked $round rounds"
