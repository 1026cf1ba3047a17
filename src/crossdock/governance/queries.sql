-- name: version
-- How often API keys have changed; grows with every change.
SELECT value FROM api_key_version

-- name: changed
-- Tells every gateway that API keys have changed.
UPDATE api_key_version SET value = value + 1

-- name: keys
-- What gateways need of every key that may still be shown: those that ended more than thirty days ago are unknown.
SELECT name, digest, consumer, plan, scopes, expires_at, revoked_at FROM api_key
WHERE coalesce(revoked_at, now()) > now() - interval '30 days'
  AND coalesce(expires_at, now()) > now() - interval '30 days'

-- name: insert_key
-- Keeps a new key; its digest, never the key.
INSERT INTO api_key (name, digest, consumer, plan, scopes, note, made_by, expires_at)
VALUES ($1, $2, $3, $4, $5::text[], $6, $7, $8)
RETURNING name, consumer, plan, scopes, note, made_by, made_at, expires_at, revoked_at, revoked_by, replaced_by, used_at

-- name: lock_key
-- One key, held against other changes.
SELECT name, consumer, plan, scopes, note, made_by, made_at, expires_at, revoked_at, revoked_by, replaced_by, used_at
FROM api_key WHERE name = $1 FOR UPDATE

-- name: replace_key
-- A key that another one replaces ends at $3, or sooner when it would have anyway.
UPDATE api_key SET replaced_by = $2, expires_at = least(expires_at, $3) WHERE name = $1
RETURNING name, consumer, plan, scopes, note, made_by, made_at, expires_at, revoked_at, revoked_by, replaced_by, used_at

-- name: revoke_key
-- Ends a key now; one that was revoked before stays as it is.
UPDATE api_key SET revoked_at = now(), revoked_by = $2 WHERE name = $1 AND revoked_at IS NULL

-- name: list_keys
-- Keys of one consumer or of all (""), the newest first; those that have ended too when $2.
SELECT name, consumer, plan, scopes, note, made_by, made_at, expires_at, revoked_at, revoked_by, replaced_by, used_at
FROM api_key
WHERE ($1 = '' OR consumer = $1)
  AND ($2 OR (revoked_at IS NULL AND coalesce(expires_at, 'infinity') > now()))
ORDER BY made_at DESC, name LIMIT $3

-- name: keys_used
-- When keys were used last; another gateway may have seen one later.
UPDATE api_key k SET used_at = greatest(k.used_at, u.at)
FROM (
    SELECT k.name, u.at FROM unnest($1::text[], $2::timestamptz[]) AS u (name, at)
    JOIN api_key k ON k.name = u.name ORDER BY k.name FOR UPDATE OF k
) u
WHERE k.name = u.name

-- name: add_usage
-- Adds requests to what consumers have used of a day under a plan; answers each with the sum over all gateways. Of 0
-- requests nothing is written: the sum is read, and there is no answer while nobody has used anything.
WITH u AS (
    SELECT consumer, plan, date '1970-01-01' + day AS day, requests
    FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS u (consumer, plan, day, requests)
), added AS (
    INSERT INTO api_usage AS a (consumer, plan, day, requests)
    SELECT consumer, plan, day, requests FROM u WHERE requests > 0
    ORDER BY consumer, plan, day
    ON CONFLICT (consumer, plan, day) DO UPDATE SET requests = a.requests + excluded.requests
    RETURNING consumer, plan, day, requests
)
SELECT consumer, plan, day - date '1970-01-01' AS day, requests FROM added
UNION ALL
SELECT consumer, plan, day - date '1970-01-01', a.requests
FROM u JOIN api_usage a USING (consumer, plan, day) WHERE u.requests = 0

-- name: add_route_usage
-- Adds requests to what consumers have asked of routes, by UTC day. In one order, so that gateways do not lock each
-- other out.
INSERT INTO route_usage AS r (consumer, method, path, day, requests, last_at)
SELECT consumer, method, path, date '1970-01-01' + day, requests, last_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[])
    AS u (consumer, method, path, day, requests, last_at)
ORDER BY 4, 1, 2, 3
ON CONFLICT (day, consumer, method, path) DO UPDATE
SET requests = r.requests + excluded.requests, last_at = greatest(r.last_at, excluded.last_at)

-- name: forget_route_usage
-- Takes away what was before a day.
DELETE FROM route_usage WHERE day < $1

-- name: route_usage
-- Requests since a day by consumer and route, and by day too when $6; of one consumer or of all (""), of all routes
-- when $3 or of those given.
SELECT consumer, method, path, CASE WHEN $6 THEN day END AS day, count(*) AS days,
       sum(requests)::bigint AS requests, max(last_at) AS last_at
FROM route_usage
WHERE day >= $1 AND ($2 = '' OR consumer = $2)
  AND ($3 OR (method, path) IN (SELECT * FROM unnest($4::text[], $5::text[])))
GROUP BY consumer, method, path, CASE WHEN $6 THEN day END
ORDER BY 4 DESC NULLS LAST, requests DESC, consumer, path, method
LIMIT $7

-- name: recorded_documents
-- The newest documents of kind $1 in canonical form, among the $2 newest of all; $3 at most, of at most $4 bytes. One
-- that came in that form has no version of its own.
WITH newest AS MATERIALIZED (
    SELECT id, message_id, interface, kind FROM document ORDER BY id DESC LIMIT $2
), wanted AS (
    SELECT id, message_id, interface FROM newest WHERE kind = $1 ORDER BY id DESC LIMIT $3
)
SELECT w.id, w.interface, b.body
FROM wanted w
CROSS JOIN LATERAL (
    SELECT coalesce(
        (SELECT v.body FROM document_version v WHERE v.document_id = w.id AND v.stage = 'canonical'
         ORDER BY v.number DESC LIMIT 1),
        (SELECT m.body FROM message m WHERE m.id = w.message_id)
    ) AS body
) b
WHERE octet_length(b.body) <= $4
ORDER BY w.id DESC

-- name: recorded_sources
-- What came in of the newest documents that the mapping $1 made, among the $2 newest of all; $3 at most, of at most $4
-- bytes.
WITH newest AS MATERIALIZED (
    SELECT id, message_id, interface, made_by FROM document WHERE parent_id IS NULL ORDER BY id DESC LIMIT $2
)
SELECT n.id, n.interface, m.body
FROM newest n JOIN message m ON m.id = n.message_id
WHERE EXISTS (SELECT FROM unnest(string_to_array(n.made_by, ' ')) part WHERE split_part(part, '/', 1) = $1)
  AND octet_length(m.body) <= $4
ORDER BY n.id DESC LIMIT $3

-- name: interfaces_out
-- Interfaces by which objects of a kind are sent out, those that are retired aside.
SELECT name FROM interface WHERE direction = 'out' AND object = $1 AND state <> 'retired' ORDER BY name LIMIT 100
