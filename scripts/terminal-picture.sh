#!/usr/bin/env bash
# Takes the picture of the full-screen chat for README: three people talk over a
# real server, and what stands on Alice's terminal becomes docs/screens/terminal.svg.
# Needs tmux.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d /tmp/sconce-picture.XXXXXX)
server=
cleanup() {
	tmux -S "$dir/tmux" kill-server 2>/dev/null || true
	if [[ -n $server ]]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT

go build -o "$dir/" ./cmd/sconced ./cmd/sconce
echo 'correct horse battery staple' >"$dir/pass"
"$dir/sconced" run --data "$dir/data" --listen 127.0.0.1:7399 >"$dir/log" 2>&1 &
server=$!

as() {
	local who=$1
	shift
	"$dir/sconce" "$@" --store "$dir/$who" --passphrase-file "$dir/pass" >/dev/null
}

for who in Alice Bob Carol; do
	until link=$("$dir/sconced" invite "$who" --data "$dir/data" 2>/dev/null | grep -o 'http[^ ]*#[^ ]*'); do
		sleep 0.2
	done
	as "$who" join "$link" --name "$who"
done
as Alice room new 'Harbour watch' Bob Carol
as Alice room set 'Harbour watch' --expire 1d
as Bob sync
as Carol sync
as Carol send Alice 'The keys are with the night porter.' --burn 1m
as Bob send 'Harbour watch' 'Shall we meet at three? The room on the second floor is free until four, and there is coffee.'
as Carol send 'Harbour watch' 'Three is good.'
as Alice sync
first=$("$dir/sconce" read 'Harbour watch' --json --peek --store "$dir/Alice" --passphrase-file "$dir/pass" | grep 'Shall we' | grep -o '"id":"[0-9a-f]*"' | cut -d'"' -f4)
as Carol react 'Harbour watch' "$first" 👍
as Alice send 'Harbour watch' 'Three it is. I bring the cake, and the charts.' --reply "$first"
as Bob send 'Harbour watch' 'Gate code tonight is 4711' --burn 10m

tmux -S "$dir/tmux" -f /dev/null -u new-session -d -x 96 -y 26 \
	-e COLORTERM=truecolor "$dir/sconce" --store "$dir/Alice" --passphrase-file "$dir/pass"
tmux -S "$dir/tmux" set-option -g default-terminal tmux-256color
sleep 4
tmux -S "$dir/tmux" send-keys -l 'On my way'
sleep 1
tmux -S "$dir/tmux" capture-pane -e -p | go run ./internal/gen/termsvg >docs/screens/terminal.svg
