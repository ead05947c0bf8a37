-- name: Room :one
SELECT kind, pair, maker FROM room WHERE id = $1;

-- name: InsertRoom :execrows
INSERT INTO room (id, kind, pair, maker, group_info) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING;

-- name: RoomOfPair :one
SELECT id FROM room WHERE pair = $1;

-- name: GroupInfo :one
SELECT kind, group_info FROM room WHERE id = $1;

-- name: SetGroupInfo :exec
UPDATE room SET group_info = $2 WHERE id = $1;

-- name: Participates :one
SELECT count(*) FROM participant WHERE room = $1 AND person = $2;

-- name: AddParticipant :exec
INSERT INTO participant (room, person) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: RemoveParticipant :exec
DELETE FROM participant WHERE room = $1 AND person = $2;

-- name: ParticipantRooms :many
SELECT p.room, r.kind, l.generation, l.epoch FROM participant p
JOIN room r ON r.id = p.room JOIN log l ON l.id = p.room
WHERE p.person = $1 AND p.room > $2 ORDER BY p.room LIMIT $3;

-- name: DeviceRooms :many
SELECT w.log, r.kind, l.generation, l.epoch FROM log_window w
JOIN room r ON r.id = w.log JOIN log l ON l.id = w.log
WHERE w.device = $1 AND w.log > $2 ORDER BY w.log LIMIT $3;

-- name: GroupRecords :many
SELECT key, value FROM group_record WHERE room = $1 ORDER BY key;

-- name: SetGroupRecord :exec
INSERT INTO group_record (room, key, value) VALUES ($1, $2, $3)
ON CONFLICT (room, key) DO UPDATE SET value = excluded.value;

-- name: DeleteGroupRecord :exec
DELETE FROM group_record WHERE room = $1 AND key = $2;

-- name: DeleteGroupRecords :exec
DELETE FROM group_record WHERE room = $1;

-- name: Proposals :many
SELECT message FROM proposal WHERE room = $1 ORDER BY seq;

-- name: InsertProposal :exec
INSERT INTO proposal (room, seq, message) VALUES ($1, $2, $3);

-- name: DeleteProposals :exec
DELETE FROM proposal WHERE room = $1;

-- name: Evictions :many
SELECT device FROM eviction WHERE room = $1 ORDER BY device;

-- name: AllEvictions :many
SELECT DISTINCT room FROM eviction WHERE room > $1 ORDER BY room LIMIT 500;

-- name: InsertEviction :exec
INSERT INTO eviction (room, device) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: DeleteEviction :exec
DELETE FROM eviction WHERE room = $1 AND device = $2;

-- name: DeleteEvictions :exec
DELETE FROM eviction WHERE room = $1;

-- name: InsertTree :exec
INSERT INTO tree (hash, tree) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: InsertTreeReader :exec
INSERT INTO tree_reader (hash, device, inbox, seq) VALUES ($1, $2, $3, $4)
ON CONFLICT (hash, device) DO UPDATE SET seq = excluded.seq;

-- name: TreePart :one
SELECT CAST(length(t.tree) AS BIGINT) AS size, substr(t.tree, CAST(sqlc.arg(start) AS INTEGER), CAST(sqlc.arg(most) AS INTEGER)) AS part
FROM tree t JOIN tree_reader r ON r.hash = t.hash WHERE t.hash = sqlc.arg(hash) AND r.device = sqlc.arg(device);

-- name: ForgetTreeReaders :exec
DELETE FROM tree_reader WHERE NOT EXISTS
(SELECT 1 FROM entry e WHERE e.log = tree_reader.inbox AND e.seq = tree_reader.seq AND e.kind > 0);

-- name: ForgetTrees :exec
DELETE FROM tree WHERE NOT EXISTS (SELECT 1 FROM tree_reader r WHERE r.hash = tree.hash);
