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

-- name: end_calls
-- Calls of which is written how they ended.
DELETE FROM publication_call WHERE id = ANY($1::bigint[])

-- name: record_told
-- What a channel system acknowledged.
INSERT INTO channel_stock AS c (system, sku, location, told, told_sequence, told_at)
SELECT $1, i.sku, i.location, i.quantity, $5, $6
FROM unnest($2::text[], $3::text[], $4::numeric[]) AS i (sku, location, quantity)
ON CONFLICT (system, sku, location) DO UPDATE
SET told = excluded.told, told_sequence = excluded.told_sequence, told_at = excluded.told_at, problem = '',
    not_before = NULL

-- name: record_unknown
-- Numbers that may or may not have arrived: whatever they are next, they are told again.
INSERT INTO channel_stock AS c (system, sku, location, told, told_sequence, problem)
SELECT $1, i.sku, i.location, NULL, $4, i.problem
FROM unnest($2::text[], $3::text[], $5::text[]) AS i (sku, location, problem)
ON CONFLICT (system, sku, location) DO UPDATE
SET told = NULL, told_sequence = excluded.told_sequence, problem = excluded.problem, not_before = NULL

-- name: record_refused
-- Numbers that the channel refused, why, and in how many seconds they are told again.
INSERT INTO channel_stock AS c (system, sku, location, told, told_sequence, problem, not_before)
SELECT $1, i.sku, i.location, NULL, $4, i.problem, now() + i.wait * interval '1 second'
FROM unnest($2::text[], $3::text[], $5::text[], $6::float8[]) AS i (sku, location, problem, wait)
ON CONFLICT (system, sku, location) DO UPDATE
SET told_sequence = excluded.told_sequence, problem = excluded.problem, not_before = excluded.not_before

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
