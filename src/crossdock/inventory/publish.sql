-- name: told_page
-- What a channel system was told, in the order of SKU and location, those after ($2, $3).
SELECT sku, location, told, told_sequence, problem <> '' AS refused,
       extract(epoch FROM not_before - now())::float8 AS wait
FROM channel_stock WHERE system = $1 AND (sku, location) > ($2, $3) ORDER BY sku, location LIMIT $4

-- name: forget_other_places
-- What was told of single locations when it is the sum that is told now ($2), or the other way round.
DELETE FROM channel_stock WHERE system = $1 AND (location <> '') = $2

-- name: doubted
-- Numbers of which somebody else found that the channel may not show them.
SELECT sku, location FROM channel_stock WHERE system = $1 AND told IS NULL AND problem = '' LIMIT $2

-- name: follow_anew
-- Nobody has compared anything with what the system was told: its worker is only just taking over.
UPDATE publication SET followed_xid = '0', followed_id = 0 WHERE system = $1

-- name: publication
-- How publishing to a system stood.
SELECT calls, fewest_calls, least(waiting_since, at) AS known_until FROM publication WHERE system = $1

-- name: forget_publications
-- How publishing to systems goes that are told no stock any more; what they were told last stays, for they show it.
DELETE FROM publication WHERE system <> ALL($1::text[])

-- name: take_over_calls
-- Calls that an earlier holder of the lease never wrote the end of: nobody knows whether the channel has these numbers.
WITH cut AS (
    DELETE FROM publication_call WHERE system = $1 RETURNING sequence, skus, locations
)
INSERT INTO channel_stock AS c (system, sku, location, told, told_sequence)
SELECT $1, k.sku, k.location, NULL, max(cut.sequence)
FROM cut CROSS JOIN LATERAL unnest(cut.skus, cut.locations) AS k (sku, location)
GROUP BY k.sku, k.location ORDER BY k.sku, k.location
ON CONFLICT (system, sku, location) DO UPDATE
SET told = NULL, told_sequence = greatest(c.told_sequence, excluded.told_sequence)
RETURNING sku, location

-- name: begin_call
-- Notes what a call will tell before it is made; no row when the lease is not ours any more.
INSERT INTO publication_call (system, sequence, skus, locations)
SELECT $1, $3, $4, $5
WHERE EXISTS (SELECT FROM system_lease l WHERE l.system = $1 AND l.fence = $2 AND l.expires_at > now())
RETURNING id

-- name: record_call
-- How a call ended, in one statement, so that no transaction is open while we compute: what the channel acknowledged (its
-- newest number, the history, an event of each), what may or may not have arrived, what it refused and when it is told
-- again, and what travelled. True when the lease was ours; else nothing is written: its holder tells all of it again.
WITH ours AS MATERIALIZED (
    SELECT FROM system_lease WHERE system = $1 AND fence = $2 FOR SHARE
), told AS MATERIALIZED (
    SELECT i.* FROM ours CROSS JOIN unnest($6::text[], $7::text[], $8::numeric[], $9::timestamptz[])
        AS i (sku, location, quantity, changed_at)
), fate AS (
    SELECT sku, location, quantity AS told, '' AS problem, NULL::float8 AS wait FROM told
    UNION ALL
    SELECT i.sku, i.location, NULL, i.problem, NULL
    FROM ours CROSS JOIN unnest($11::text[], $12::text[], $13::text[]) AS i (sku, location, problem)
    UNION ALL
    SELECT i.sku, i.location, NULL, i.problem, i.wait
    FROM ours CROSS JOIN unnest($14::text[], $15::text[], $16::text[], $17::float8[]) AS i (sku, location, problem, wait)
), newest AS (
    INSERT INTO channel_stock AS c (system, sku, location, told, told_sequence, told_at, problem, not_before)
    SELECT $1, f.sku, f.location, f.told, $4, CASE WHEN f.problem = '' THEN $5::timestamptz END, f.problem,
           now() + f.wait * interval '1 second'
    FROM fate f ORDER BY f.sku, f.location
    ON CONFLICT (system, sku, location) DO UPDATE
    -- Of a refused number, which waits, what was told before stays: as the row has it now, not as it was when we began.
    SET told = CASE WHEN excluded.not_before IS NULL THEN excluded.told ELSE c.told END,
        told_sequence = excluded.told_sequence, problem = excluded.problem,
        told_at = coalesce(excluded.told_at, c.told_at), not_before = excluded.not_before
), history AS (
    INSERT INTO told_stock (system, sku, location, quantity, sequence, changed_at, told_at)
    SELECT $1, sku, location, quantity, $4, changed_at, $5 FROM told
), events AS (
    INSERT INTO event (type, key, document_id, data, many)
    SELECT 'availability.changed', '', 0, $10, true FROM ours WHERE $10::bytea IS NOT NULL
), travelled AS (
    INSERT INTO exchange (system, method, url, request, status, response)
    SELECT $1, e.method, e.url, e.request, e.status, e.response
    FROM ours CROSS JOIN unnest($18::text[], $19::text[], $20::bytea[], $21::integer[], $22::bytea[])
        AS e (method, url, request, status, response)
), ended AS (
    DELETE FROM publication_call WHERE id = $3 AND EXISTS (SELECT FROM ours)
)
SELECT EXISTS (SELECT FROM ours)

-- name: show_publication
-- Shows how publishing goes; only while the lease is ours.
INSERT INTO publication AS p (
    system, channel, waiting, waiting_since, problems, reason, calls, fewest_calls, lag_p50, lag_p95, lag_p99,
    followed_xid, followed_id, at
)
SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::bigint::text::xid8, $14, now()
WHERE EXISTS (SELECT FROM system_lease l WHERE l.system = $1 AND l.fence = $2)
ON CONFLICT (system) DO UPDATE
SET channel = excluded.channel, waiting = excluded.waiting, waiting_since = excluded.waiting_since,
    problems = excluded.problems, reason = excluded.reason, calls = excluded.calls,
    fewest_calls = excluded.fewest_calls, lag_p50 = excluded.lag_p50, lag_p95 = excluded.lag_p95,
    lag_p99 = excluded.lag_p99, followed_xid = excluded.followed_xid, followed_id = excluded.followed_id, at = now()
