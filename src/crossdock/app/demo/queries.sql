-- name: figures
-- Where everything stands: orders, documents, deliveries, stock levels to be told, lag.
SELECT
    (SELECT count(*) FROM sales_order) AS orders,
    (SELECT count(*) FROM document WHERE state IN ('settled', 'duplicate', 'rejected')) AS settled,
    (SELECT count(*) FROM document WHERE state IN ('received', 'retry', 'case', 'delivering')) AS open,
    (SELECT count(*) FROM document WHERE state = 'case') AS cases,
    (
        SELECT count(*) FROM document d WHERE d.state IN ('received', 'retry') AND (
            SELECT e.id FROM document e
            WHERE e.key = d.key AND e.id < d.id AND e.state = 'case' AND e.step <> 'deliver' LIMIT 1
        ) IS NULL
    ) AS to_decide,
    (
        SELECT count(*) FROM delivery d WHERE d.state = 'due' AND (
            SELECT e.id FROM delivery e
            WHERE e.system = d.system AND e.key = d.key AND e.id < d.id AND e.state = 'case' LIMIT 1
        ) IS NULL
    ) AS deliveries_open,
    (SELECT count(*) FROM channel_stock WHERE told IS NOT NULL AND problem = '') AS stock_told,
    (
        -- What channels have not acknowledged, without what they refused, and changes nobody has looked at yet.
        SELECT coalesce(sum(p.waiting - p.problems), 0) + (SELECT count(*) FROM publication_call)
            + (SELECT count(*) FROM channel_stock WHERE told IS NULL AND problem = '') + count(*) FILTER (WHERE EXISTS (
            SELECT FROM event e
            WHERE e.type = 'inventory.level.changed' AND (e.xid, e.id) > (p.followed_xid, p.followed_id)
        ))
        FROM publication p
    ) AS stock_waiting,
    coalesce(lag.p50, 0)::float8 AS lag_p50,
    coalesce(lag.p99, 0)::float8 AS lag_p99
FROM (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - received_at)) AS p50,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM settled_at - received_at)) AS p99
    FROM document
    WHERE kind = 'sales_order' AND state = 'settled' AND settled_at > now() - interval '1 minute'
) lag

-- name: our_orders
-- The orders that should be in the ERP: accepted, with their state here.
SELECT order_key, status, entity, erp FROM sales_order

-- name: our_levels
-- Every stock level as we have it.
SELECT sku, location, on_hand FROM stock_level

-- name: our_shipments
-- Every shipment as we have it, by the warehouse's own id.
SELECT shipment_key FROM shipment

-- name: order_keys_in_triage
-- Orders of which something waits for a person, and the rule that says why.
SELECT d.key, coalesce(max(c.rule), '') AS rule
FROM document d LEFT JOIN triage_case c ON c.document_id = d.id AND c.state = 'open'
WHERE d.state = 'case' GROUP BY d.key

-- name: stranded
-- Units that are held for nobody: allocated beyond what fulfillment orders are still to ship, reserved beyond what
-- living reservations hold, or by reservations that ended long ago.
SELECT coalesce(sum(abs(l.allocated - coalesce(a.open, 0)) + abs(l.reserved - coalesce(r.held, 0))), 0)
FROM stock_level l
LEFT JOIN (
    SELECT a.sku, a.location, sum(a.quantity - a.freed) AS open
    FROM allocation a JOIN fulfillment_order f ON f.reference = a.reference
    WHERE f.state IN ('open', 'partly_shipped') GROUP BY a.sku, a.location
) a USING (sku, location)
LEFT JOIN (
    SELECT n.sku, n.location, sum(n.quantity) AS held
    FROM reservation_line n JOIN reservation r ON r.id = n.reservation_id
    WHERE r.state = 'committed' OR (r.state = 'active' AND r.expires_at > now() - interval '10 seconds')
    GROUP BY n.sku, n.location
) r USING (sku, location)

-- name: publishing
-- Whether each of these systems is told stock by now.
SELECT NOT EXISTS (
    SELECT FROM unnest($1::text[]) AS i (system) WHERE i.system NOT IN (SELECT p.system FROM publication p)
)

-- name: publications
-- How publishing to each channel went.
SELECT system, lag_p50, lag_p95, lag_p99, calls, fewest_calls FROM publication ORDER BY system

-- name: told
-- What each channel was told last.
SELECT system, sku, location, told FROM channel_stock WHERE told IS NOT NULL

-- name: returned
-- Returns that were asked for, those of which everything came back, and what was given back for them.
SELECT count(*) AS asked, count(*) FILTER (WHERE state = 'received') AS received, coalesce(sum(refund), 0) AS refunded
FROM goods_return

-- name: split_orders
-- Orders that more than one location ships.
SELECT count(*) FROM (
    SELECT order_key FROM fulfillment_order WHERE state <> 'cancelled' GROUP BY order_key HAVING count(DISTINCT location) > 1
) s
