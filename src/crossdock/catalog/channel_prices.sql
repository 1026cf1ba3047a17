-- name: take_over
-- Makes the channel's row, for its prices to be locked by, and says how telling stood; `calls` goes on.
INSERT INTO price_publication AS p (channel, system) VALUES ($1, $2)
ON CONFLICT (channel) DO UPDATE SET system = excluded.system, followed_version = -1, followed_stamp = -1
RETURNING p.calls

-- name: forget_publications
-- How telling goes of channels that are told no prices any more; what they were told last stays, for they show it.
DELETE FROM price_publication WHERE channel <> ALL($1::text[])

-- name: known_skus
-- SKUs that a channel has a price of, or had: a page after $2.
SELECT sku FROM channel_price WHERE channel = $1 AND sku > $2 ORDER BY sku LIMIT $3

-- name: want
-- What a channel is to show of SKUs; a null price: none. Of what is wanted already nothing changes. Another currency is
-- another price. False when the lease is not ours any more.
WITH ours AS MATERIALIZED (
    SELECT FROM price_publication p JOIN system_lease l ON l.system = p.system
    WHERE p.channel = $1 AND l.fence = $2 AND l.expires_at > now() FOR UPDATE OF p
), given AS MATERIALIZED (
    SELECT g.* FROM ours CROSS JOIN
        unnest($4::text[], $5::numeric[], $6::text[], $7::text[], $8::timestamptz[]) AS g (sku, wanted, unit, list, at)
), written AS (
    INSERT INTO channel_price AS c (channel, sku, wanted, currency, unit, list, wanted_at)
    SELECT $1, g.sku, g.wanted, $3, CASE WHEN g.wanted IS NULL THEN h.unit ELSE g.unit END, g.list, g.at
    FROM given g LEFT JOIN channel_price h ON h.channel = $1 AND h.sku = g.sku
    WHERE g.wanted IS NOT NULL OR h.sku IS NOT NULL
    ORDER BY g.sku
    ON CONFLICT (channel, sku) DO UPDATE
    SET wanted = excluded.wanted, currency = excluded.currency, unit = excluded.unit, list = excluded.list,
        wanted_at = CASE WHEN c.wanted IS NOT NULL AND c.told IS DISTINCT FROM c.wanted AND c.refusals = 0
            THEN least(c.wanted_at, excluded.wanted_at) ELSE excluded.wanted_at END,
        told = CASE WHEN c.currency = excluded.currency AND c.unit = excluded.unit THEN c.told END,
        problem = '', refusals = 0, not_before = NULL
    WHERE c.wanted IS DISTINCT FROM excluded.wanted OR c.currency <> excluded.currency OR c.unit <> excluded.unit
        OR c.list <> excluded.list
)
SELECT EXISTS (SELECT FROM ours)

-- name: begin_call
-- Takes what is to be told next, the oldest change first, and notes that nobody knows what the channel shows of it until
-- the end of the call is written.
WITH ours AS MATERIALIZED (
    SELECT FROM price_publication p JOIN system_lease l ON l.system = p.system
    WHERE p.channel = $1 AND l.fence = $2 AND l.expires_at > now() FOR UPDATE OF p
), due AS MATERIALIZED (
    SELECT c.sku FROM ours CROSS JOIN channel_price c
    WHERE c.channel = $1 AND c.wanted IS NOT NULL AND c.told IS DISTINCT FROM c.wanted
        AND (c.not_before IS NULL OR c.not_before <= now())
    ORDER BY c.not_before NULLS FIRST, c.wanted_at, c.sku LIMIT $4
)
UPDATE channel_price c SET told = NULL, told_sequence = $3
FROM due WHERE c.channel = $1 AND c.sku = due.sku
RETURNING c.sku, c.wanted, c.unit, c.wanted_at, c.refusals

-- name: newest_sequence
-- The highest sequence a channel was told anything under.
SELECT coalesce(max(told_sequence), 0) FROM channel_price WHERE channel = $1

-- name: next_due
-- Seconds until something is to be told: 0 or less = now; null = nothing is.
SELECT extract(epoch FROM coalesce(not_before, now()) - now())::float8
FROM channel_price WHERE channel = $1 AND wanted IS NOT NULL AND told IS DISTINCT FROM wanted
ORDER BY not_before NULLS FIRST LIMIT 1

-- name: record_call
-- How a call ended, in one statement: what the channel acknowledged (with an event of each), what it refused and when it is
-- told again, why others may not have arrived, and what travelled. False when the lease is not ours any more: nothing is
-- written then, and its holder tells all of it again.
WITH ours AS MATERIALIZED (
    SELECT p.system FROM price_publication p JOIN system_lease l ON l.system = p.system
    WHERE p.channel = $1 AND l.fence = $2 FOR UPDATE OF p
), told AS (
    UPDATE channel_price c
    SET told = i.price, told_at = $4, problem = '', refusals = 0, not_before = NULL
    FROM ours CROSS JOIN unnest($5::text[], $6::numeric[]) AS i (sku, price)
    WHERE c.channel = $1 AND c.sku = i.sku AND c.told_sequence = $3
), untold AS (
    -- Behind what nobody has tried: what spoils its call stands in nobody's way.
    UPDATE channel_price c SET problem = i.problem, not_before = now()
    FROM ours CROSS JOIN unnest($8::text[], $9::text[]) AS i (sku, problem)
    WHERE c.channel = $1 AND c.sku = i.sku AND c.told_sequence = $3
), refused AS (
    UPDATE channel_price c
    SET problem = i.problem, refusals = c.refusals + 1, not_before = now() + i.wait * interval '1 second'
    FROM ours CROSS JOIN unnest($10::text[], $11::numeric[], $12::text[], $13::float8[]) AS i (sku, price, problem, wait)
    -- Of a price that has changed meanwhile nobody knows what the channel would say.
    WHERE c.channel = $1 AND c.sku = i.sku AND c.told_sequence = $3 AND c.wanted = i.price
), events AS (
    INSERT INTO event (type, key, document_id, data, many)
    SELECT 'price.changed', '', 0, $7, true FROM ours WHERE $7::bytea IS NOT NULL
), travelled AS (
    INSERT INTO exchange (system, method, url, request, status, response)
    SELECT ours.system, e.method, e.url, e.request, e.status, e.response
    FROM ours CROSS JOIN unnest($14::text[], $15::text[], $16::bytea[], $17::integer[], $18::bytea[])
        AS e (method, url, request, status, response)
), counted AS (
    UPDATE price_publication p SET calls = p.calls + 1, reason = $19 FROM ours WHERE p.channel = $1
)
SELECT EXISTS (SELECT FROM ours)

-- name: show
-- Shows how telling goes and what it follows; only while the lease is ours.
UPDATE price_publication p
SET lag_p50 = $3, lag_p95 = $4, lag_p99 = $5, followed_version = $6, followed_stamp = $7, at = now()
FROM system_lease l WHERE p.channel = $1 AND l.system = p.system AND l.fence = $2 AND l.expires_at > now()
