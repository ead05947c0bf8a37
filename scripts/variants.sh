#!/usr/bin/env bash
# Tests mls as it can be built for some: scripts/variants.sh [fips|secrets]...,
# all if none is named. Each compiles the standard library anew the first time.
#
# fips: with the FIPS 140-3 module of MODULE (v1.0.0) and in its mode. MODE is on;
# "only" fails on purpose where docs/fips.md says that it does.
# secrets: with GOEXPERIMENT=runtimesecret, where this toolchain has it.
set -euo pipefail
cd "$(dirname "$0")/.."

fips() {
	echo "== the FIPS 140-3 module ${MODULE:-v1.0.0}, fips140=${MODE:-on}"
	SCONCE_TEST_FIPS=${MODULE:-v1.0.0} GOFIPS140=${MODULE:-v1.0.0} GODEBUG=fips140=${MODE:-on} go test -count=1 ./mls
}

secrets() {
	if [[ ! -e $(go env GOROOT)/src/runtime/secret ]]; then
		echo 'left out: runtime/secret, which this toolchain does not have'
		return
	fi
	echo '== runtime/secret'
	# What shows that the variant works, and stories that lead everywhere.
	SCONCE_TEST_WIPING=1 GOEXPERIMENT=runtimesecret go test -count=1 -run 'Wiped|Erased|Allocations|OwnVectors|TestMembers' ./mls
}

if (($# == 0)); then
	set -- fips secrets
fi
for variant in "$@"; do
	"$variant"
done
