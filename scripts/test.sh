#!/usr/bin/env bash
# Runs every check and every test: scripts/test.sh [arguments of go test].
#
# Some tests need more than Go: every duty of the server is tested on SQLite and,
# where there is one, on PostgreSQL; the durability test watches system calls
# with strace; the full-screen chat runs in tmux; the page is built with Node and
# used in Chromium. As root on Debian what is missing gets installed; elsewhere it
# is left out, and the last line says so.
# PostgreSQL runs from a folder that is removed on exit, reached through a socket
# in it: nothing listens on the network, and a PostgreSQL that the machine already
# runs is never touched.
#
# SCONCE_TEST_POSTGRES, when set, names a database to use instead.
set -euo pipefail
cd "$(dirname "$0")/.."

left_out=() # what could not be had, for the last line
cluster=    # the folder of the throw-away PostgreSQL
pg_ctl=     # the program that stops it
as_owner=() # the command that becomes the user it runs as
tests=      # the process group of go test
scratch=    # a folder for what is built on the way

main() {
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM

	scripts/check.sh

	if [[ -z ${SCONCE_TEST_POSTGRES-} ]]; then
		provide_postgres || left_out+=('the tests on PostgreSQL (install: apt-get install postgresql, or put initdb and pg_ctl on PATH)')
	fi
	provide chromium chromium || left_out+=('everything in a browser (install: apt-get install chromium)')
	provide tmux tmux || left_out+=('the full-screen chat in a real terminal (install: apt-get install tmux)')
	provide strace strace || left_out+=('the system call trace (install: apt-get install strace)')

	local status=0
	if (($# == 0)); then
		set -- ./...
		if have_node; then
			scripts/web.sh
			screens || status=$?
		else
			left_out+=('the page and its screens (install: Node 20.19 or later, with npm)')
		fi
	fi
	scratch=$(mktemp -d)
	go build -o "$scratch/testreport" ./scripts/testreport

	# In a process group of its own, so that an interrupt ends the test binaries
	# too and not only the go command that started them.
	set -m
	(go test -json -timeout 20m "$@" </dev/null | "$scratch/testreport") &
	tests=$!
	set +m
	wait "$tests" || status=$?
	tests=
	if ((${#left_out[@]})); then
		printf 'left out: %s\n' "${left_out[@]}"
	else
		echo 'left out: nothing'
	fi
	exit "$status"
}

# have_node tells whether there is a Node that can build the page.
have_node() {
	command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

# screens tests the page's screens: types and rules, what they decide, and each
# of them in Chromium on made-up data. Stories with the real core are Go tests.
screens() (
	cd web && npm run --silent check && npm run --silent test || return
	command -v chromium >/dev/null || return 0
	npm run --silent build:story -- --logLevel warn && npm run --silent screens
)

# provide makes a command available, installing its Debian package if it may.
provide() {
	local command=$1 package=$2
	command -v "$command" >/dev/null || { install_package "$package" && command -v "$command" >/dev/null; }
}

# install_package installs a Debian package, or says why it did not.
install_package() {
	local package=$1
	if ((EUID != 0)) || [[ ! -e /etc/debian_version ]] || ! command -v apt-get >/dev/null; then
		echo "not installing $package: this is not root on Debian" >&2
		return 1
	fi
	echo "installing $package" >&2
	local log
	log=$(mktemp)
	# A machine's package lists may be missing or old, so they are fetched
	# first; if that fails the old ones may still do.
	apt_get update >"$log" 2>&1 || true
	if apt_get install --no-install-recommends "$package" >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	echo "could not install $package:" >&2
	tail -n 5 "$log" >&2
	rm -f "$log"
	return 1
}

# apt_get runs apt-get so that it asks nothing and always comes to an end.
apt_get() {
	local command=$1
	shift
	DEBIAN_FRONTEND=noninteractive timeout 300 apt-get "$command" -y -q \
		-o Acquire::Retries=2 -o DPkg::Lock::Timeout=60 "$@" </dev/null
}

# postgres_programs prints the folder with initdb and pg_ctl: of the newest
# version that Debian's packages laid down, which are not on PATH, or on PATH.
postgres_programs() {
	local found
	found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || true
	if [[ -z $found ]]; then
		found=$(command -v initdb) || return 1
	fi
	dirname "$found"
}

# provide_postgres starts a PostgreSQL and names it in SCONCE_TEST_POSTGRES.
provide_postgres() {
	local programs
	if ! programs=$(postgres_programs); then
		install_package postgresql || return 1
		programs=$(postgres_programs) || return 1
	fi

	# Not in TMPDIR, which may be long: a socket's path has 107 bytes at most.
	cluster=$(mktemp -d /tmp/sconce-test.XXXXXX) || return 1
	# PostgreSQL refuses to run as root.
	if ((EUID == 0)); then
		local owner=nobody
		if id postgres >/dev/null 2>&1; then
			owner=postgres
		fi
		chown "$owner" "$cluster"
		as_owner=(setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
	fi
	pg_ctl=$programs/pg_ctl

	# The tests' data may be lost, so nothing waits for the disk. The folder is
	# closed to other users, so whoever reaches the socket may be trusted.
	local log=$cluster/log options
	options="-c listen_addresses='' -c unix_socket_directories='$cluster' -c max_connections=300"
	options+=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
	if ! (
		cd "$cluster"
		"${as_owner[@]}" "$programs/initdb" -D "$cluster/data" -U sconce -A trust -E UTF8 --no-locale --no-sync &&
			"${as_owner[@]}" "$pg_ctl" -D "$cluster/data" -l "$cluster/server.log" -o "$options" -w -t 60 start
	) </dev/null >"$log" 2>&1; then
		echo 'PostgreSQL did not start:' >&2
		tail -n 20 "$log" "$cluster/server.log" >&2 || true
		return 1
	fi
	export SCONCE_TEST_POSTGRES="postgres://sconce@/postgres?host=$cluster"
}

# cleanup ends what this script started, however it ends itself.
cleanup() {
	if [[ -n $tests ]]; then
		kill -- "-$tests" 2>/dev/null || true
	fi
	if [[ -n $scratch ]]; then
		rm -rf "$scratch"
	fi
	if [[ -n $cluster ]]; then
		if [[ -e $cluster/data/postmaster.pid ]]; then
			(cd "$cluster" && "${as_owner[@]}" "$pg_ctl" -D "$cluster/data" -m immediate -w stop) >/dev/null 2>&1 || true
		fi
		rm -rf "$cluster"
	fi
}

main "$@"
