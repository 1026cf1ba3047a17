-- name: write
-- Adds acts of one person; the table's trigger numbers and chains them.
INSERT INTO audit (who, origin, reason, action, what, key, before, after)
SELECT $1, $2, $3, a.action, a.what, a.key, a.before, a.after
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY
    AS a (action, what, key, before, after, n)
ORDER BY a.n

-- name: head
-- The last row of the chain as its writers remember it.
SELECT id, hash FROM audit_head

-- name: how_many
-- How many rows there are.
SELECT count(*) FROM audit

-- name: page
-- The next rows of the chain, by number.
SELECT id, at, who, origin, action, what, key, before, after, reason, hash FROM audit WHERE id > $1 ORDER BY id LIMIT $2

-- name: list_acts
-- Acts that fit every filter given, the newest first, from below number $6.
SELECT id, at, who, origin, action, what, key, before, after, reason, hash FROM audit
WHERE ($1::timestamptz IS NULL OR at >= $1) AND ($2::text IS NULL OR who = $2)
  AND ($3::text IS NULL OR what ^@ ($3 || '/'))
  AND ($4::text IS NULL OR key = $4 OR what = $4 OR substr(what, strpos(what, '/') + 1) = $4)
  AND ($5::text IS NULL OR action = $5) AND ($6::bigint IS NULL OR id < $6)
ORDER BY id DESC LIMIT $7
