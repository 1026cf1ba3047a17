-- name: make_listed
-- Where the listing of one system is put while it is compared; it goes with the connection. No transaction is held open
-- meanwhile: one that has written would stop the outbox.
CREATE TEMP TABLE IF NOT EXISTS reconcile_listed (
    number bigint GENERATED ALWAYS AS IDENTITY,
    sku text NOT NULL,
    location text NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    as_of timestamptz NOT NULL,
    changed_at timestamptz,
    theirs text NOT NULL,
    place text NOT NULL
)

-- name: make_heard
-- The listing in our names: what a system keeps of a SKU under several names, or at several places that are one of ours,
-- is added up. Of a row that came twice the later counts. The oldest moment holds for all of it.
CREATE OR REPLACE TEMP VIEW reconcile_heard AS
SELECT sku, location, sum(quantity) AS quantity, min(as_of) AS as_of, max(changed_at) AS changed_at, max(unit) AS unit,
       array_agg(theirs) AS names
FROM (
    SELECT DISTINCT ON (sku, location, theirs, place) * FROM reconcile_listed
    ORDER BY sku, location, theirs, place, number DESC
) r
GROUP BY sku, location

-- name: empty_listed
-- Before the next system is asked.
TRUNCATE reconcile_listed

-- name: drop_listed
-- When all are compared.
DROP TABLE IF EXISTS reconcile_listed CASCADE

-- name: analyze_listed
-- So that the comparison is planned by how much there is.
ANALYZE reconcile_listed

-- name: compare_goods
-- SKUs and locations where what a system has on hand is not what we have; of $6 and $7 (pairs) or all. Which come first
-- differs from comparison to comparison (by $8), so that all get their turn when there are too many.
SELECT sku, location, o.on_hand AS ours, t.quantity AS theirs, coalesce(t.as_of, $4) AS as_of,
       o.changed_at AS ours_changed_at, t.changed_at AS theirs_changed_at, t.names, coalesce(t.unit, '') AS unit
FROM reconcile_heard t
FULL JOIN (
    SELECT sku, location, on_hand, changed_at FROM stock_level
    WHERE location = ANY($1::text[]) AND ($2::text[] IS NULL OR sku = ANY($2))
) o USING (sku, location)
WHERE (abs(coalesce(o.on_hand, 0) - coalesce(t.quantity, 0)) > $3 OR t.unit <> '')
  AND ($6::text[] IS NULL OR (sku, location) IN (SELECT * FROM unnest($6::text[], $7::text[])))
ORDER BY hashtextextended(sku || '@' || location, $8), sku, location LIMIT $5

-- name: count_goods
-- How many SKUs are compared at each location, and how many of them differ.
SELECT location, count(*) AS compared,
       count(*) FILTER (WHERE abs(coalesce(o.on_hand, 0) - coalesce(t.quantity, 0)) > $3 OR t.unit <> '') AS differing
FROM reconcile_heard t
FULL JOIN (
    SELECT sku, location, on_hand FROM stock_level
    WHERE location = ANY($1::text[]) AND ($2::text[] IS NULL OR sku = ANY($2))
) o USING (sku, location)
GROUP BY location ORDER BY location

-- name: compare_shown
-- SKUs and locations where a channel shows another number than it was told; of $6 and $7 (pairs) or all. Which come first
-- differs from comparison to comparison (by $8), so that all get their turn when there are too many.
SELECT sku, location, o.told AS ours, t.quantity AS theirs, coalesce(t.as_of, $4) AS as_of,
       o.told_at AS ours_changed_at, t.changed_at AS theirs_changed_at, t.names, coalesce(t.unit, '') AS unit
FROM reconcile_heard t
FULL JOIN (
    SELECT sku, location, told, told_at FROM channel_stock
    WHERE system = $1 AND ($2::text[] IS NULL OR sku = ANY($2))
) o USING (sku, location)
WHERE (abs(coalesce(o.told, 0) - coalesce(t.quantity, 0)) > $3 OR t.unit <> '')
  AND ($6::text[] IS NULL OR (sku, location) IN (SELECT * FROM unnest($6::text[], $7::text[])))
ORDER BY hashtextextended(sku || '@' || location, $8), sku, location LIMIT $5

-- name: count_shown
-- How many numbers of a channel are compared at each location, and how many of them differ.
SELECT location, count(*) AS compared,
       count(*) FILTER (WHERE abs(coalesce(o.told, 0) - coalesce(t.quantity, 0)) > $3 OR t.unit <> '') AS differing
FROM reconcile_heard t
FULL JOIN (
    SELECT sku, location, told FROM channel_stock
    WHERE system = $1 AND ($2::text[] IS NULL OR sku = ANY($2))
) o USING (sku, location)
GROUP BY location ORDER BY location

-- name: moved_lately
-- The newest movements of each pair that changed what is on hand, at most 100 of each.
SELECT p.sku, p.location, m.source, m.movement_id, m.kind, m.on_hand, m.occurred_at, m.recorded_at, m.reference
FROM unnest($1::text[], $2::text[]) AS p (sku, location)
CROSS JOIN LATERAL (
    SELECT * FROM stock_movement m WHERE m.sku = p.sku AND m.location = p.location
    ORDER BY m.occurred_at DESC LIMIT 100
) m
WHERE m.on_hand <> 0
ORDER BY p.sku, p.location, m.occurred_at DESC

-- name: told_lately
-- What a channel was told of each pair, the newest 50 of each.
SELECT p.sku, p.location, t.quantity, t.told_at
FROM unnest($2::text[], $3::text[]) AS p (sku, location)
CROSS JOIN LATERAL (
    SELECT quantity, told_at FROM told_stock t WHERE t.sku = p.sku AND t.system = $1 AND t.location = p.location
    ORDER BY t.told_at DESC LIMIT 50
) t
ORDER BY p.sku, p.location, t.told_at DESC

-- name: still_to_tell
-- Of these pairs ($2, $3, and of what goods each is made, $4) those that a channel is about to be told of for the first
-- time: there are or were goods behind them, and nobody has tried yet. $5: the locations a sum is made of.
SELECT DISTINCT p.sku, p.location
FROM unnest($2::text[], $3::text[], $4::text[]) AS p (sku, location, part)
JOIN stock_level l ON l.sku = p.part AND l.sequence > 0
    AND (l.location = p.location OR (p.location = '' AND l.location = ANY($5::text[])))
WHERE NOT EXISTS (
    SELECT FROM channel_stock c WHERE c.system = $1 AND c.sku = p.sku AND c.location = p.location
)

-- name: shipments_owed
-- Shipments that a system has not been told of yet, by SKU.
SELECT DISTINCT l.value ->> 'sku' AS sku, d.reference, d.state
FROM delivery d
JOIN fulfillment_order f ON f.order_key = substr(d.key, 7)
CROSS JOIN LATERAL jsonb_each(f.lines) l
WHERE d.system = $1 AND d.object = 'shipment' AND d.state IN ('due', 'case') AND l.value ->> 'sku' = ANY($2::text[])
ORDER BY 1, 2 LIMIT 20000

-- name: documents_waiting
-- Documents of some interfaces that are not decided, with their newest form, the oldest first.
SELECT d.id, d.state, d.kind, coalesce(v.stage, 'source') AS stage, coalesce(v.body, m.body) AS body
FROM document d
JOIN message m ON m.id = d.message_id
LEFT JOIN LATERAL (
    SELECT stage, body FROM document_version w WHERE w.document_id = d.id ORDER BY number DESC LIMIT 1
) v ON true
WHERE d.state IN ('received', 'retry', 'case') AND d.interface = ANY($1::text[])
ORDER BY d.id LIMIT 2000

-- name: still_expected
-- Goods that are to come to these pairs.
SELECT e.sku, e.location, e.reference, e.quantity - e.received AS quantity
FROM unnest($1::text[], $2::text[]) AS p (sku, location)
JOIN expected_stock e ON e.sku = p.sku AND e.location = p.location
WHERE e.status = 'open' AND e.quantity > e.received ORDER BY 1, 2, e.due_at, e.reference

-- name: still_promised
-- Goods of these pairs that are promised to orders and have not left.
SELECT a.sku, a.location, a.reference, sum(a.quantity - a.freed) AS quantity
FROM unnest($1::text[], $2::text[]) AS p (sku, location)
JOIN allocation a ON a.sku = p.sku AND a.location = p.location
WHERE a.freed < a.quantity GROUP BY a.sku, a.location, a.reference ORDER BY 1, 2, 3

-- name: bodies_of_products
-- Products as they were accepted, for their prices.
SELECT sku, body FROM product WHERE sku = ANY($1::text[])

-- name: open_differences
-- Differences of a system that a person has to look at.
SELECT key FROM document WHERE interface = $1 AND state IN ('received', 'retry', 'case') ORDER BY key LIMIT 10000

-- name: kpi_history
-- A key figure over time, the newest first.
SELECT dimension, at, value FROM kpi
WHERE name = $1 AND ($2::text IS NULL OR dimension = $2) AND ($3::timestamptz IS NULL OR at >= $3)
ORDER BY at DESC, dimension LIMIT $4

-- name: kpi_newest
-- The newest value of a key figure in every dimension; goes from dimension to dimension, not through the history.
WITH RECURSIVE known AS (
    (SELECT dimension FROM kpi WHERE name = $1 ORDER BY dimension LIMIT 1)
    UNION ALL
    SELECT (SELECT k.dimension FROM kpi k WHERE k.name = $1 AND k.dimension > n.dimension ORDER BY k.dimension LIMIT 1)
    FROM known n WHERE n.dimension IS NOT NULL
)
SELECT n.dimension, v.at, v.value
FROM known n
CROSS JOIN LATERAL (
    SELECT at, value FROM kpi k WHERE k.name = $1 AND k.dimension = n.dimension ORDER BY at DESC LIMIT 1
) v
ORDER BY n.dimension

-- name: reconciliations
-- Comparisons, the newest first.
SELECT id, kind, started_at, finished_at, asked_by, compared, equal, healed, cases, problems
FROM reconciliation WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2

-- name: differences
-- Where figures differed in a comparison.
SELECT system, sku, location, ours, theirs, class AS difference, reason, action, money, currency
FROM reconciliation_difference WHERE reconciliation_id = $1 ORDER BY system, sku, location LIMIT $2

-- name: classes
-- How many differences of each class a comparison found, by system and action.
SELECT system, class AS difference, action, count(*) AS number
FROM reconciliation_difference WHERE reconciliation_id = $1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- name: tell_again
-- Makes numbers be told again: nobody knows what the channel shows. Locked in the order in which calls are recorded.
WITH locked AS MATERIALIZED (
    SELECT c.sku, c.location
    FROM channel_stock c JOIN unnest($2::text[], $3::text[]) AS i (sku, location) USING (sku, location)
    WHERE c.system = $1 ORDER BY c.sku, c.location FOR UPDATE OF c
)
UPDATE channel_stock c SET told = NULL, problem = '', not_before = NULL
FROM locked i WHERE c.system = $1 AND c.sku = i.sku AND c.location = i.location
