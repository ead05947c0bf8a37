-- name: BeginLog :exec
INSERT INTO device_log (user_id, length, head, recovery) VALUES ($1, 1, $2, $3);

-- The comparison is what makes an append atomic: of two that follow the same
-- entry, one finds the log as it expects.

-- name: AdvanceLog :execrows
UPDATE device_log SET length = @length, head = @head, recovery = @recovery
WHERE user_id = @user_id AND length = @old_length AND head = @old_head;

-- name: LogLength :one
SELECT length, head FROM device_log WHERE user_id = $1;

-- name: LogByRecovery :one
SELECT user_id FROM device_log WHERE recovery = $1 ORDER BY user_id LIMIT 1;

-- name: AddEntry :exec
INSERT INTO log_entry (user_id, place, entry) VALUES ($1, $2, $3);

-- name: Entries :many
SELECT entry FROM log_entry WHERE user_id = @user_id AND place >= @first AND place < @beyond ORDER BY place;

-- name: AddDevice :execrows
INSERT INTO device (device_id, user_id, inbox) VALUES ($1, $2, $3) ON CONFLICT (device_id) DO NOTHING;

-- name: DeviceUser :one
SELECT user_id FROM device WHERE device_id = $1;

-- name: Inboxes :one
SELECT count(*) FROM device WHERE inbox = $1;

-- name: DevicesWithoutInbox :many
SELECT device_id FROM device WHERE inbox IS NULL LIMIT 500;

-- name: SetInbox :exec
UPDATE device SET inbox = $2 WHERE device_id = $1;

-- name: AddRemoval :exec
INSERT INTO removal (device_id, user_id) VALUES ($1, $2) ON CONFLICT (device_id) DO NOTHING;

-- name: DropRemoval :exec
DELETE FROM removal WHERE device_id = $1;

-- name: Removals :many
SELECT device_id, user_id FROM removal WHERE device_id > $1 ORDER BY device_id LIMIT 100;

-- name: AddToken :exec
INSERT INTO token (token, user_id, device_id, expires) VALUES ($1, $2, $3, $4);

-- name: TokenOwner :one
SELECT user_id, device_id, expires FROM token WHERE token = $1;

-- name: DropTokens :exec
DELETE FROM token WHERE device_id = $1;

-- name: DropOldTokens :exec
DELETE FROM token WHERE token.device_id = @device AND token.token NOT IN
    (SELECT t.token FROM token AS t WHERE t.device_id = @device ORDER BY t.expires DESC, t.token LIMIT @most);

-- name: DropExpiredTokens :exec
DELETE FROM token WHERE expires <= $1;

-- name: OfferLink :execrows
INSERT INTO link (rendezvous, device_id, user_id, admission, expires) VALUES (@rendezvous, @device_id, @user_id, @admission, @expires)
ON CONFLICT (rendezvous) DO UPDATE SET device_id = excluded.device_id, user_id = excluded.user_id, admission = excluded.admission, expires = excluded.expires
WHERE link.device_id = excluded.device_id OR link.expires <= @now;

-- name: Link :one
SELECT device_id, user_id, admission FROM link WHERE rendezvous = $1 AND expires > $2;

-- name: Links :one
SELECT count(*) FROM link;

-- name: LinksOf :one
SELECT count(*) FROM link WHERE user_id = $1 AND rendezvous <> $2;

-- name: DropExpiredLinks :exec
DELETE FROM link WHERE expires <= $1;

-- name: HoldLog :execrows
UPDATE device_log SET length = length WHERE user_id = $1 AND head = $2;
