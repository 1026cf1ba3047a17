-- name: find_reservations
-- What was reserved under these keys, in their order; the catalog's version and the time go with each row.
SELECT c.value AS catalog, clock_timestamp() AS at, r.*
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (channel, key, number)
CROSS JOIN catalog_version c
LEFT JOIN LATERAL (
    SELECT id, digest, expires_at, ended_at, order_key, body,
           CASE WHEN state = 'active' AND expires_at <= clock_timestamp() THEN 'expired' ELSE state END AS state
    FROM reservation WHERE channel = i.channel AND idempotency_key = i.key LIMIT 1
) r ON true
ORDER BY i.number

-- name: expected_of
-- Goods of these SKUs that are still to come.
SELECT sku, location, due_at, quantity - received AS open
FROM expected_stock WHERE sku = ANY($1::text[]) AND status = 'open' AND received < quantity

-- name: make_reservations
-- Writes reservations with what they hold, in the order of their keys.
WITH made AS (
    INSERT INTO reservation (id, channel, idempotency_key, digest, reference, created_at, expires_at, body)
    SELECT id, channel, key, digest, reference, created_at, expires_at, body
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bytea[]
    ) AS r (id, channel, key, digest, reference, created_at, expires_at, body)
    ORDER BY channel, key
)
INSERT INTO reservation_line (reservation_id, line, sku, location, quantity)
SELECT * FROM unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::numeric[])

-- name: reservations
-- These reservations as they stand.
SELECT id, channel, reference, created_at, expires_at, ended_at, order_key, body,
       CASE WHEN state = 'active' AND expires_at <= clock_timestamp() THEN 'expired' ELSE state END AS state
FROM reservation WHERE id = ANY($1::text[])

-- name: release_reservations
-- Ends those that still hold goods; the levels of what they hold are locked by the caller.
WITH living AS (
    SELECT id FROM reservation WHERE id = ANY($1::text[]) AND state IN ('active', 'committed') ORDER BY id FOR UPDATE
)
UPDATE reservation r SET state = 'released', ended_at = clock_timestamp() FROM living l WHERE r.id = l.id
RETURNING r.id, r.channel, r.reference, r.state, r.order_key, r.expires_at

-- name: due_reservations
-- Those whose time is over and that still hold goods (of $2 only, unless it is null), the oldest first, with how much
-- each has to give back.
SELECT r.id, (SELECT count(*) FROM reservation_line l WHERE l.reservation_id = r.id) AS lines
FROM reservation r
WHERE r.state = 'active' AND r.expires_at <= clock_timestamp()
  AND ($2::text[] IS NULL OR EXISTS (
      SELECT FROM reservation_line l WHERE l.reservation_id = r.id AND l.sku = ANY($2::text[])
  ))
ORDER BY r.expires_at LIMIT $1

-- name: expire_reservations
-- Ends those whose time is over; the levels of what they hold are locked by the caller.
WITH over AS (
    SELECT id FROM reservation
    WHERE id = ANY($1::text[]) AND state = 'active' AND expires_at <= clock_timestamp() ORDER BY id FOR UPDATE
)
UPDATE reservation r SET state = 'expired', ended_at = clock_timestamp() FROM over o WHERE r.id = o.id
RETURNING r.id, r.channel, r.reference, r.state, r.order_key, r.expires_at

-- name: extend_reservations
-- Holds active ones for $2 seconds from now, none shorter than before and none beyond $3 seconds from its making. Of
-- several wishes for one the longest that may be; it is returned.
WITH living AS (
    SELECT r.id, r.created_at, clock_timestamp() AS at FROM reservation r
    WHERE r.id = ANY($1::text[]) AND r.state = 'active' AND r.expires_at > clock_timestamp() ORDER BY r.id FOR UPDATE
), longest AS (
    SELECT l.id, l.at, max(w.seconds) AS seconds
    FROM living l JOIN unnest($1::text[], $2::float8[]) AS w (id, seconds) ON w.id = l.id
    WHERE l.at + w.seconds * interval '1 second' <= l.created_at + $3::float8 * interval '1 second'
    GROUP BY l.id, l.at
)
UPDATE reservation r SET expires_at = greatest(r.expires_at, l.at + l.seconds * interval '1 second')
FROM longest l WHERE r.id = l.id
RETURNING r.id, r.channel, r.reference, r.state, r.order_key, r.expires_at, l.seconds

-- name: commit_reservations
-- Lets active ones wait for their orders; one that waits already may still be told its order.
WITH living AS (
    SELECT r.id, i.order_key
    FROM unnest($1::text[], $2::text[]) AS i (id, order_key) JOIN reservation r ON r.id = i.id
    WHERE (r.state = 'active' AND r.expires_at > clock_timestamp())
       OR (r.state = 'committed' AND r.order_key = '' AND i.order_key <> '')
    ORDER BY r.id FOR UPDATE OF r
)
UPDATE reservation r SET state = 'committed', order_key = coalesce(nullif(l.order_key, ''), r.order_key)
FROM living l WHERE r.id = l.id
RETURNING r.id, r.channel, r.reference, r.state, r.order_key, r.expires_at

-- name: list_reservations
-- Reservations in a state, the newest first: of one channel, or of all ("").
SELECT id, channel, reference, state, order_key, created_at, expires_at, ended_at
FROM (
    SELECT id, channel, reference, order_key, created_at, expires_at, ended_at,
           CASE WHEN state = 'active' AND expires_at <= clock_timestamp() THEN 'expired' ELSE state END AS state
    FROM reservation WHERE $2 = '' OR channel = $2
) r
WHERE $1 = 'any' OR state = $1
ORDER BY created_at DESC LIMIT $3
