-- name: hold_system
-- Takes or renews the lease of a system; a row when it is ours. A new holder gets a higher fence.
INSERT INTO system_lease AS l (system, worker, fence, expires_at, seen_at)
VALUES ($1, $2, 1, now() + $3 * interval '1 second', now())
ON CONFLICT (system) DO UPDATE
SET worker = excluded.worker, expires_at = excluded.expires_at, seen_at = now(),
    fence = CASE WHEN l.worker = excluded.worker AND l.expires_at > now() THEN l.fence ELSE l.fence + 1 END
WHERE l.worker = excluded.worker OR l.expires_at <= now()
RETURNING fence, paused

-- name: release_system
-- Gives the lease back at once when a worker stops.
UPDATE system_lease SET expires_at = '-infinity' WHERE system = $1 AND worker = $2 AND fence = $3

-- name: take_over
-- What an earlier holder was sending when it went away: whether it arrived is unknown, so we look first.
WITH left_over AS (
    DELETE FROM delivery_claim WHERE system = $1 AND fence <> $2 RETURNING delivery_ids
)
UPDATE delivery SET look_first = true, next_at = now() + $3 * interval '1 second'
WHERE id IN (SELECT unnest(delivery_ids) FROM left_over) AND state = 'due'

-- name: claim
-- Notes obligations that are due as being sent, only the oldest open one of each key, and returns what to send.
WITH due AS MATERIALIZED (
    SELECT d.id, d.document_id, d.interface, d.operation, d.object, d.key, d.reference, d.idempotency_key, d.body,
           d.look_first, d.attempts + 1 AS attempt
    FROM delivery d
    WHERE d.system = $1 AND d.state = 'due' AND d.next_at <= now() AND d.id <> ALL($4::bigint[])
      -- A scalar subquery, so that it is asked per row from the index and not joined over everything that is open.
      AND d.id = (
          SELECT min(e.id) FROM delivery e WHERE e.system = $1 AND e.key = d.key AND e.state IN ('due', 'case')
      )
      AND EXISTS (SELECT FROM system_lease l WHERE l.system = $1 AND l.fence = $2 AND l.expires_at > now())
    ORDER BY d.next_at, d.id
    LIMIT $3
), noted AS (
    INSERT INTO delivery_claim (system, fence, delivery_ids)
    SELECT $1, $2, array_agg(id) FROM due HAVING count(*) > 0
    RETURNING id
)
SELECT t.id, t.document_id, t.interface, t.operation, t.object, t.key, t.reference, t.idempotency_key,
       coalesce(t.body, v.body) AS body, t.look_first, t.attempt, k.known, n.id AS claim_id
FROM due t CROSS JOIN noted n
LEFT JOIN LATERAL (
    SELECT body FROM document_version w
    WHERE t.body IS NULL AND w.document_id = t.document_id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
LEFT JOIN LATERAL (
    SELECT array_agg(ARRAY[r.system, r.operation, r.reference, r.their_reference] ORDER BY r.id) AS known
    FROM document o JOIN delivery r ON r.document_id = o.id
    WHERE t.operation = ANY($5::text[]) AND o.key = t.key AND r.state = 'delivered'
) k ON true
ORDER BY t.id

-- name: check_fence
-- Whether the lease is still ours; nobody takes it over until the transaction ends.
SELECT true FROM system_lease WHERE system = $1 AND fence = $2 FOR SHARE

-- name: forget_claims
-- Claims of which every delivery's outcome is written.
DELETE FROM delivery_claim WHERE id = ANY($1::bigint[])

-- name: record_outcomes
-- Writes how tries ended, and keeps every try of what was written. Returns what was written.
WITH tried AS (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::float8[], $7::integer[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bigint[]
    ) AS t (id, state, look_first, their_reference, error, wait, attempts, started_at, finished_at, outcome, exchange_id)
), written AS (
    UPDATE delivery d
    SET state = i.state, look_first = i.look_first, their_reference = i.their_reference, last_error = i.error,
        next_at = CASE WHEN i.state = 'due' THEN now() + i.wait * interval '1 second' ELSE d.next_at END,
        settled_at = CASE WHEN i.state = 'delivered' THEN now() END, attempts = i.attempts
    FROM tried i
    WHERE d.id = i.id AND d.state = 'due'
    RETURNING d.id, i.attempts, i.started_at, i.finished_at, i.outcome, i.error, i.exchange_id
), kept AS (
    INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at, outcome, error, exchange_id)
    SELECT * FROM written
    ON CONFLICT (delivery_id, number) DO UPDATE
    SET finished_at = excluded.finished_at, outcome = excluded.outcome, error = excluded.error,
        exchange_id = excluded.exchange_id
)
SELECT id FROM written

-- name: note_withdrawn
-- Fulfillment orders that their warehouse ships nothing more of.
INSERT INTO withdrawn_fulfillment (reference) SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING

-- name: record_exchanges
-- Keeps what travelled; ids in the order given.
INSERT INTO exchange (system, method, url, request, status, response)
SELECT $1, e.method, e.url, e.request, e.status, e.response
FROM unnest($2::text[], $3::text[], $4::bytea[], $5::integer[], $6::bytea[])
    WITH ORDINALITY AS e (method, url, request, status, response, n)
ORDER BY e.n
RETURNING id

-- name: record_breaker
-- Shows the breaker's state to everyone.
UPDATE system_lease SET breaker = $2, breaker_until = $3, breaker_reason = $4 WHERE system = $1

-- name: stakes
-- What is at stake on documents: owner and deadline of their interface, money of their order.
SELECT d.id, d.interface, d.key, i.owner, d.received_at + i.settle_within AS deadline, o.total, o.currency
FROM document d
LEFT JOIN interface i ON i.name = d.interface
LEFT JOIN sales_order o ON d.key = 'order/' || o.order_key
WHERE d.id = ANY($1::bigint[])
