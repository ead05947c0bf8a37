-- The paths that every message takes are written by hand in statements.go.

-- name: Log :one
SELECT last, hash, generation, epoch, pending FROM log WHERE id = $1;

-- name: LogWindows :many
SELECT device, person, from_seq, to_seq, taken, before FROM log_window WHERE log = $1;

-- name: InsertLog :execrows
INSERT INTO log (id, last, hash, generation, epoch, pending, expires)
VALUES ($1, 0, $2, $3, $4, 0, $5)
ON CONFLICT (id) DO NOTHING;

-- name: OpenWindow :exec
INSERT INTO log_window (log, device, person, from_seq, to_seq, closed, taken, before)
VALUES ($1, $2, $3, $4, 0, 0, $5, $6)
ON CONFLICT (log, device) DO UPDATE SET person = excluded.person, from_seq = excluded.from_seq,
	to_seq = 0, closed = 0, taken = excluded.taken, before = excluded.before;

-- name: CloseWindow :exec
UPDATE log_window SET to_seq = $3, closed = $4 WHERE log = $1 AND device = $2;

-- name: DropWindow :exec
DELETE FROM log_window WHERE log = $1 AND device = $2;

-- name: DropSpentWindow :exec
DELETE FROM log_window WHERE log = $1 AND device = $2 AND to_seq > 0;

-- name: DeviceWindows :many
SELECT log FROM log_window WHERE device = $1 AND log > $2 ORDER BY log LIMIT $3;

-- name: ClosedWindows :many
SELECT log, device FROM log_window WHERE closed > 0 AND closed <= $1 LIMIT 500;

-- name: Appended :one
SELECT seq, time FROM appended WHERE key = $1;

-- name: AppendedPage :many
SELECT key, time FROM appended WHERE key > $1 ORDER BY key LIMIT 1000;

-- name: ForgetAppended :exec
DELETE FROM appended WHERE key > sqlc.arg(after) AND key <= sqlc.arg(until) AND time <= sqlc.arg(old);

-- name: DueLogs :many
SELECT id FROM log WHERE expires <= $1 ORDER BY expires LIMIT 100;

-- name: HoldExpiry :exec
UPDATE log SET expires = $2 WHERE id = $1;

-- name: ExpireEntries :exec
UPDATE entry SET kind = 0, generation = 0, epoch = 0, sender = $3, append_id = $3, time = 0, keep = 0, expires = 0, message = NULL
WHERE log = $1 AND kind > 0 AND expires <= $2;

-- name: NextExpiry :one
SELECT expires FROM entry WHERE log = $1 AND kind > 0 ORDER BY expires LIMIT 1;
