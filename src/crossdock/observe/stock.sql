-- name: stock_list
-- SKUs that have a level, in their order, those after $2 that begin with $1: buckets summed over locations.
WITH page AS MATERIALIZED (
    SELECT DISTINCT sku FROM stock_level
    WHERE sku ^@ $1 AND sku > $2 AND sequence > 0 ORDER BY sku LIMIT $3
)
SELECT g.sku, coalesce(p.unit, '') AS unit, coalesce(p.body, '') AS body, count(*) AS places, sum(l.on_hand) AS on_hand,
       sum(l.quarantined) AS quarantined, sum(l.allocated) AS allocated, sum(l.reserved) AS reserved,
       max(l.changed_at) AS changed_at
FROM page g JOIN stock_level l ON l.sku = g.sku LEFT JOIN product p ON p.sku = g.sku
WHERE l.sequence > 0
GROUP BY g.sku, p.unit, p.body ORDER BY g.sku

-- name: stock_promised
-- What is promised and not there: levels below zero, at most $1.
SELECT sku, location, on_hand - quarantined - allocated - reserved AS free FROM stock_level
WHERE on_hand - quarantined - allocated - reserved < 0 ORDER BY 3, 1, 2 LIMIT $1

-- name: stock_levels
-- The levels of one SKU, every column.
SELECT sku, location, on_hand, quarantined, allocated, reserved, sequence, changed_at, counted_at
FROM stock_level WHERE sku = $1 AND sequence > 0 ORDER BY location LIMIT $2

-- name: stock_told
-- What each of some channel systems was told of one SKU last.
SELECT system, location, told, told_at, problem FROM channel_stock
WHERE sku = $1 AND system = ANY($3::text[]) ORDER BY system, location LIMIT $2

-- name: stock_coming
-- Goods of one SKU that are still to come.
SELECT reference, source, location, quantity - received AS open, due_at, document_id
FROM expected_stock WHERE sku = $1 AND status = 'open' AND received < quantity ORDER BY due_at LIMIT $2

-- name: stock_holds
-- Who holds one SKU: living reservations and open allocations, the newest first.
(
    SELECT 'reservation' AS kind, r.id AS reference, r.channel AS holder, n.location, n.quantity, r.created_at AS since,
           CASE r.state WHEN 'active' THEN r.expires_at END AS until
    FROM reservation_line n JOIN reservation r ON r.id = n.reservation_id
    WHERE n.sku = $1 AND r.state IN ('active', 'committed') ORDER BY r.created_at DESC LIMIT $2
) UNION ALL (
    SELECT 'allocation', a.reference, a.order_key, a.location, a.quantity - a.freed, a.allocated_at, NULL
    FROM allocation a WHERE a.sku = $1 AND a.freed < a.quantity ORDER BY a.allocated_at DESC LIMIT $2
)
ORDER BY since DESC LIMIT $2

-- name: stock_moves
-- The newest movements of one SKU with what they changed, the newest first.
SELECT source, movement_id, kind, location, quantity, unit, occurred_at, recorded_at, document_id, reference, on_hand,
       quarantined, allocated, late
FROM stock_movement WHERE sku = $1 ORDER BY occurred_at DESC, recorded_at DESC LIMIT $2

-- name: publications
-- How publishing to each channel system goes.
SELECT system, waiting, waiting_since, problems, calls, fewest_calls, lag_p50, lag_p95, lag_p99, at
FROM publication ORDER BY system
