-- name: Add :execrows
INSERT INTO key_package (ref, device_id, entry, last_resort, used, expires, message)
SELECT @ref, @device_id, @entry, FALSE, FALSE, @expires, @message
WHERE NOT EXISTS (SELECT 1 FROM claimed WHERE claimed.ref = @ref)
ON CONFLICT (ref) DO NOTHING;

-- name: AddLastResort :execrows
INSERT INTO key_package (ref, device_id, entry, last_resort, used, expires, message)
VALUES (@ref, @device_id, @entry, TRUE, FALSE, @expires, @message)
ON CONFLICT (ref) DO NOTHING;

-- name: DropOtherLastResort :exec
DELETE FROM key_package WHERE device_id = @device_id AND last_resort AND ref <> @ref;

-- name: Count :one
SELECT count(*) FROM key_package WHERE device_id = @device_id AND NOT last_resort AND entry = @entry AND expires > @now;

-- name: FreshLastResort :one
SELECT count(*) FROM key_package WHERE device_id = @device_id AND last_resort AND NOT used AND entry = @entry AND expires > @now;

-- name: UseLastResort :one
UPDATE key_package SET used = TRUE WHERE device_id = @device_id AND last_resort AND entry = @entry AND expires > @now
RETURNING message;

-- name: AddClaimed :exec
INSERT INTO claimed (ref, expires) VALUES ($1, $2) ON CONFLICT (ref) DO NOTHING;

-- name: DropDevice :exec
DELETE FROM key_package WHERE device_id = $1;

-- name: DropExpired :exec
DELETE FROM key_package WHERE expires <= $1;

-- name: DropExpiredClaimed :exec
DELETE FROM claimed WHERE expires <= $1;
