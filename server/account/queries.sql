-- name: Network :one
SELECT secrets, sender FROM network WHERE id = 1;

-- name: MakeNetwork :exec
INSERT INTO network (id, secrets, sender, made) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING;

-- name: AddInvite :exec
INSERT INTO invite (token, name, expires) VALUES ($1, $2, $3);

-- name: Invite :one
SELECT name, expires, user_id FROM invite WHERE token = $1;

-- name: UseInvite :execrows
UPDATE invite SET user_id = $1 WHERE token = $2 AND user_id IS NULL AND expires > $3;

-- name: DropInvites :exec
DELETE FROM invite WHERE expires < $1;

-- name: Invites :one
SELECT count(*) FROM invite WHERE user_id IS NULL;

-- name: AddPerson :execrows
INSERT INTO person (user_id, name, folded, sort, joined) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id) DO NOTHING;

-- name: Person :one
SELECT name FROM person WHERE user_id = $1;

-- name: HasName :one
SELECT count(*) FROM person WHERE sort = $1;

-- name: HasPeople :one
SELECT count(*) FROM (SELECT 1 FROM person LIMIT 1) AS one;

-- name: RenamePerson :execrows
UPDATE person SET name = $1, folded = $2, sort = $3 WHERE user_id = $4;

-- PostgreSQL and SQLite have no common function that finds a text in a text;
-- whether replacing it changes anything tells the same.

-- name: People :many
SELECT user_id, name, sort FROM person
WHERE sort > @after AND (CAST(@query AS TEXT) = '' OR replace(folded, @query, '') <> folded)
ORDER BY sort LIMIT @page;
