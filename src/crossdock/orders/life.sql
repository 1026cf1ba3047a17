-- name: begin_lives
-- Orders begin to live, or ask for something else now: which version of them their ERP must have.
INSERT INTO order_life (order_key, state, document_id, lines)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
ON CONFLICT (order_key) DO UPDATE SET document_id = excluded.document_id, lines = excluded.lines

-- name: lock_lives
-- The states of these orders, locked in key order until the transaction ends.
SELECT order_key, state, sequence FROM order_life WHERE order_key = ANY($1::text[]) ORDER BY order_key FOR UPDATE

-- name: life_facts
-- What is known of these orders; a statement of its own after the lock, so that it sees what was committed before it.
SELECT s.order_key, s.number, s.channel, s.entity, s.version, s.status = 'open' AS open, s.total,
       EXISTS (
           SELECT FROM delivery w
           WHERE w.document_id = l.document_id AND w.operation = 'sales_order' AND w.state = 'delivered'
       ) AS told,
       f.asked, f.taken, f.begun, f.shipped,
       (SELECT count(DISTINCT b.line) FROM back_order b WHERE b.order_key = l.order_key) AS waiting, i.invoiced, i.credited, p.paid, p.refunded
FROM order_life l
JOIN sales_order s USING (order_key)
CROSS JOIN LATERAL (
    SELECT count(*) AS asked, count(*) FILTER (WHERE f.state = 'shipped') AS shipped,
           count(*) FILTER (WHERE f.state <> 'open') AS begun,
           count(*) FILTER (WHERE f.state <> 'open' OR EXISTS (
               SELECT FROM delivery w
               WHERE w.document_id = f.document_id AND w.reference = f.reference
                 AND w.operation = 'fulfillment_order' AND w.state = 'delivered'
           )) AS taken
    FROM fulfillment_order f WHERE f.order_key = l.order_key AND f.state <> 'cancelled'
) f
CROSS JOIN LATERAL (
    SELECT coalesce(sum(total) FILTER (WHERE kind = 'invoice'), 0) AS invoiced,
           coalesce(sum(total) FILTER (WHERE kind = 'credit_memo'), 0) AS credited
    FROM invoice i WHERE i.order_key = l.order_key AND i.state = 'open'
) i
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'payment'), 0) AS paid,
           coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded
    FROM payment p WHERE p.order_key = l.order_key AND p.state = 'settled'
) p
WHERE l.order_key = ANY($1::text[]) ORDER BY l.order_key

-- name: move_lives
-- Writes states that have changed.
UPDATE order_life l SET state = i.state, since = now(), sequence = l.sequence + 1, overdue = false
FROM unnest($1::text[], $2::text[]) AS i (order_key, state) WHERE l.order_key = i.order_key

-- name: become_overdue
-- Marks at most $3 orders that have been in state $1 for longer than $2 seconds; what they are.
WITH late AS (
    SELECT order_key FROM order_life
    WHERE state = $1 AND since < now() - make_interval(secs => $2) AND NOT overdue AND state NOT IN ('closed', 'cancelled')
    ORDER BY since LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE order_life l SET overdue = true FROM late, sales_order s
WHERE l.order_key = late.order_key AND s.order_key = l.order_key
RETURNING l.order_key, l.since, l.sequence, l.document_id, s.number, s.channel, s.entity, s.version
