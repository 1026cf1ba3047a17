-- name: lists_since
-- Price lists that changed after a stamp.
SELECT body, stamp FROM price_list WHERE stamp > $1 ORDER BY stamp

-- name: upsert_price_lists
-- Takes price lists in, unless a newer version is there or nothing changed; returns those that changed.
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[])
        AS g (price_list_id, version, status, body, document_id)
), changed AS (
    SELECT g.* FROM given g LEFT JOIN price_list p USING (price_list_id)
    WHERE p.price_list_id IS NULL OR (g.version >= p.version AND g.body <> p.body)
), stamped AS (
    UPDATE price_version SET value = value + 1 WHERE EXISTS (SELECT FROM changed) RETURNING value
)
INSERT INTO price_list (price_list_id, version, status, body, document_id, stamp)
SELECT c.price_list_id, c.version, c.status, c.body, c.document_id, s.value FROM changed c CROSS JOIN stamped s
ON CONFLICT (price_list_id) DO UPDATE
SET version = excluded.version, status = excluded.status, body = excluded.body, document_id = excluded.document_id,
    stamp = excluded.stamp, changed_at = now()
WHERE price_list.version <= excluded.version
RETURNING price_list_id

-- name: lock_prices
-- Keeps everybody else from changing price lists until the transaction ends.
SELECT value FROM price_version FOR UPDATE

-- name: versions_of
-- The versions in which these price lists stand.
SELECT price_list_id, version FROM price_list WHERE price_list_id = ANY($1::text[])

-- name: lists_of
-- These price lists as they stand.
SELECT price_list_id, body FROM price_list WHERE price_list_id = ANY($1::text[])
