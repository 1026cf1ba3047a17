-- name: hold_lease
-- Takes or renews the lease; a row when it is ours. A new holder gets a higher fence.
UPDATE webhook_lease l
SET worker = $1, expires_at = now() + $2 * interval '1 second',
    fence = CASE WHEN l.worker = $1 AND l.expires_at > now() THEN l.fence ELSE l.fence + 1 END
WHERE l.worker = $1 OR l.expires_at <= now()
RETURNING fence

-- name: release_lease
-- Gives the lease back at once when a worker stops.
UPDATE webhook_lease SET expires_at = '-infinity' WHERE worker = $1 AND fence = $2

-- name: check_fence
-- Whether the lease is still ours; nobody takes it over until the transaction ends.
SELECT true FROM webhook_lease WHERE fence = $1 FOR SHARE

-- name: create
-- A new subscription, to events that are not committed yet; none when there are $10 of its consumer, or $11 of all.
INSERT INTO subscription (id, consumer, url, types, channels, customers, note, secret, state_at, created_at, xid, event_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9,
       (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text::xid8, 9223372036854775807
WHERE (SELECT count(*) FROM subscription WHERE consumer = $2) < $10 AND (SELECT count(*) FROM subscription) < $11
RETURNING id

-- name: lock_creating
-- One subscription is created at a time, so that their number holds.
SELECT pg_advisory_xact_lock(hashtextextended('subscription/create', 0))

-- name: lock_one
-- One subscription, which nobody else changes until the transaction ends.
SELECT *, xid::text::bigint AS place FROM subscription
WHERE id = $1 AND ($2::text IS NULL OR consumer = $2) FOR NO KEY UPDATE

-- name: list_subscriptions
-- Subscriptions of a consumer (null: of all) in the order of their ids, from behind $2.
SELECT * FROM subscription
WHERE ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR id > $2) AND ($3::text IS NULL OR id = $3)
ORDER BY id LIMIT $4

-- name: waiting
-- How much waits for these subscriptions, since when, and what came of the last try of the oldest.
SELECT w.subscription_id, w.number, e.at, o.last_error FROM (
    SELECT subscription_id, count(*) AS number, min(number) AS oldest FROM webhook
    WHERE subscription_id = ANY($1::text[]) GROUP BY subscription_id
) w
JOIN webhook o ON o.number = w.oldest
JOIN event e ON e.xid = o.xid AND e.id = o.event_id

-- name: delete_subscription
-- A subscription is no more.
DELETE FROM subscription WHERE id = $1

-- name: delete_webhooks
-- Nothing waits for a subscription any more.
DELETE FROM webhook WHERE subscription_id = $1

-- name: rotate
-- A new secret; the old one signs too for a while.
UPDATE subscription SET previous_secret = secret, previous_until = $3, secret = $2 WHERE id = $1

-- name: enable
-- A subscription is delivered to, as if nothing had failed.
UPDATE subscription
SET state = 'active', state_reason = $3, state_at = $2, failures = 0, failing_since = NULL, rest_until = NULL
WHERE id = $1

-- name: disable
-- A subscription is not delivered to; events wait.
UPDATE subscription SET state = 'disabled', state_reason = $3, state_at = $2 WHERE id = $1

-- name: due_at_once
-- What failed before is due.
UPDATE webhook SET next_at = $2 WHERE subscription_id = ANY($1::text[]) AND next_at < 'infinity'

-- name: move_places
-- Moves the place of subscriptions in the outbox.
UPDATE subscription SET xid = $2::bigint::text::xid8, event_id = $3 WHERE id = ANY($1::text[])

-- name: forget_behind
-- Takes back what comes behind a place in the outbox, because it will be looked at again.
DELETE FROM webhook WHERE subscription_id = $1 AND (xid, event_id) > ($2::bigint::text::xid8, $3::bigint)

-- name: place_at
-- The first event at or behind a transaction number.
SELECT e.xid::text::bigint AS xid, e.at FROM event e WHERE e.xid >= $1::bigint::text::xid8 ORDER BY e.xid, e.id LIMIT 1

-- name: last_xid
-- The newest transaction in the outbox.
SELECT e.xid::text::bigint FROM event e ORDER BY e.xid DESC, e.id DESC LIMIT 1

-- name: first_since
-- The first event behind a transaction number that became true at a moment or later.
SELECT e.xid::text::bigint AS xid, e.id FROM event e WHERE e.xid >= $1::bigint::text::xid8 AND e.at >= $2
ORDER BY e.xid, e.id LIMIT 1

-- name: active
-- Subscriptions that are delivered to.
SELECT id, url, secret, CASE WHEN previous_until > $1 THEN previous_secret ELSE '' END AS previous_secret,
       xid::text::bigint AS xid, event_id, failures, rest_until
FROM subscription WHERE state = 'active' ORDER BY id

-- name: lock_places
-- The places of subscriptions that are delivered to, which nobody else moves until the transaction ends.
SELECT s.id, s.types, s.channels, s.customers, s.xid::text::bigint AS xid, s.event_id
FROM subscription s
WHERE s.id = ANY($1::text[]) AND s.state = 'active'
ORDER BY s.id FOR NO KEY UPDATE

-- name: count_waiting
-- How many webhooks wait for each of these subscriptions; counted to $2.
SELECT s.id, (SELECT count(*) FROM (SELECT FROM webhook w WHERE w.subscription_id = s.id LIMIT $2) x) AS number
FROM unnest($1::text[]) AS s (id)

-- name: last_final
-- Where the newest event is whose place in commit order is final.
SELECT e.xid::text::bigint AS xid, e.id FROM event e WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.xid DESC, e.id DESC LIMIT 1

-- name: read_outbox
-- A page of outbox rows behind a place, in commit order: $4 at most, and about $5 bytes; the data of those whose type is
-- like any of $3.
SELECT xid::text::bigint AS xid, id, type, key, many, data FROM (
    SELECT page.*, sum(octet_length(data)) OVER (ORDER BY xid, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT e.xid, e.id, e.type, e.key, e.many, CASE WHEN e.type LIKE ANY($3::text[]) THEN e.data END AS data
        FROM event e
        WHERE (e.xid, e.id) > ($1::bigint::text::xid8, $2::bigint) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.id LIMIT $4
    ) page
) e
WHERE coalesce(before, 0) < $5 ORDER BY e.xid, e.id

-- name: parties_of
-- Channel and customer account of orders and cancellations, by business key.
SELECT 'order/' || order_key AS key, channel, customer_id FROM sales_order WHERE order_key = ANY($1::text[])
UNION ALL
SELECT 'cancellation/' || cancellation_key, channel, customer_id FROM cancellation WHERE cancellation_key = ANY($2::text[])

-- name: owe
-- Takes on webhooks. One is due when none of its key waits before it.
INSERT INTO webhook (subscription_id, xid, event_id, element, key, next_at)
SELECT i.subscription_id, i.xid::text::xid8, i.event_id, i.element, i.key,
       CASE
           WHEN row_number() OVER (PARTITION BY i.subscription_id, i.key ORDER BY i.n) > 1 THEN 'infinity'
           WHEN EXISTS (SELECT FROM webhook w WHERE w.subscription_id = i.subscription_id AND w.key = i.key) THEN 'infinity'
           ELSE $6::timestamptz
       END
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[]) WITH ORDINALITY
    AS i (subscription_id, xid, event_id, element, key, n)
ORDER BY i.n

-- name: claim
-- Due webhooks, at most so many of each subscription and none that is under way. Of one that fails as a whole the next in
-- turn, due or not: whether it serves again can only be found by asking.
SELECT d.number, d.subscription_id, d.xid::text::bigint AS xid, d.event_id, d.element, d.attempts, d.first_tried_at
FROM unnest($1::text[], $2::integer[], $3::boolean[]) AS s (id, room, failing)
CROSS JOIN LATERAL (
    SELECT w.* FROM webhook w
    WHERE w.subscription_id = s.id AND w.next_at < 'infinity' AND (s.failing OR w.next_at <= $4)
      AND w.number <> ALL($5::bigint[])
    ORDER BY w.next_at, w.number LIMIT s.room
) d
ORDER BY d.next_at, d.number

-- name: events_at
-- Outbox rows at these places, from the first on as many as are of about $4 bytes together. Of a row that is one event of
-- more than $3 bytes its size only.
SELECT xid::text::bigint AS xid, id, type, key, at, document_id, many, size,
       CASE WHEN many OR size <= $3 THEN data END AS data
FROM (
    SELECT e.*, octet_length(e.data) AS size,
           sum(CASE WHEN e.many OR octet_length(e.data) <= $3 THEN octet_length(e.data) ELSE 0 END)
               OVER (ORDER BY p.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS p (xid, id, n)
    JOIN event e ON e.xid = p.xid::text::xid8 AND e.id = p.id
) found
WHERE coalesce(before, 0) < $4

-- name: lock_standing
-- How these subscriptions stand, which nobody else changes until the transaction ends.
SELECT id, consumer, state, failures, failing_since, last_success_at, last_failure_at, rest_until, last_status,
       last_error
FROM subscription WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE

-- name: settle
-- Webhooks that are delivered or given up are gone.
DELETE FROM webhook WHERE number = ANY($1::bigint[]) RETURNING number, subscription_id, key

-- name: next_in_turn
-- The oldest of each key that lost the one before it is due.
UPDATE webhook w SET next_at = $3
FROM (
    SELECT (SELECT min(number) FROM webhook e WHERE e.subscription_id = g.subscription_id AND e.key = g.key) AS number
    FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS g (subscription_id, key)) g
) n
WHERE w.number = n.number AND w.next_at = 'infinity'

-- name: fail
-- Webhooks that were not taken are tried again later.
UPDATE webhook w
SET next_at = f.next_at, attempts = w.attempts + f.counted, last_error = f.error,
    first_tried_at = coalesce(w.first_tried_at, f.tried_at)
FROM unnest($1::bigint[], $2::timestamptz[], $3::integer[], $4::text[], $5::timestamptz[])
    AS f (number, next_at, counted, error, tried_at)
WHERE w.number = f.number

-- name: write_standing
-- How subscriptions stand after their tries.
UPDATE subscription s
SET state = i.state, state_reason = CASE WHEN i.reason <> '' THEN i.reason ELSE s.state_reason END,
    state_at = CASE WHEN i.reason <> '' THEN $13 ELSE s.state_at END,
    failures = i.failures, failing_since = i.failing_since, last_success_at = i.last_success_at,
    last_failure_at = i.last_failure_at, rest_until = i.rest_until, last_status = i.last_status, last_error = i.last_error,
    delivered = s.delivered + i.delivered, given_up = s.given_up + i.given_up
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::integer[], $10::text[], $11::bigint[], $12::bigint[]
) AS i (id, state, reason, failures, failing_since, last_success_at, last_failure_at, rest_until, last_status, last_error,
        delivered, given_up)
WHERE s.id = i.id

-- name: add_latencies
-- Keeps how long a subscription's last hundred answers took.
UPDATE subscription
SET latencies = (latencies || $2::integer[])[greatest(1, cardinality(latencies) + cardinality($2::integer[]) - 99):]
WHERE id = $1
