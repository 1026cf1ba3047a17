-- name: known_movements
-- What the ledger has of these movements.
SELECT m.source, m.movement_id, m.kind, m.sku, m.location, m.quantity, m.occurred_at
FROM unnest($1::text[], $2::text[]) AS w (source, movement_id)
JOIN stock_movement m ON m.source = w.source AND m.movement_id = w.movement_id

-- name: known_entries
-- What was taken of these counts.
SELECT c.source, c.count_id, c.sku, c.location, c.as_of, c.quantity
FROM unnest($1::text[], $2::text[]) AS w (source, count_id)
JOIN counted_stock c ON c.source = w.source AND c.count_id = w.count_id AND NOT c.absent

-- name: next_skus
-- The last SKU of the next page of levels.
SELECT max(sku) FROM (SELECT sku FROM stock_level WHERE sku > $1 ORDER BY sku LIMIT $2) p

-- name: drifts
-- Levels after one SKU up to another (null: all the rest), or of the given SKUs, that are not what they are made of.
-- counted: what the newest count found; counted_ledger: what the ledger adds up to until then, which must be the same.
WITH level AS (
    SELECT * FROM stock_level
    WHERE sku > $1 AND ($2::text IS NULL OR sku <= $2) AND ($3::text[] IS NULL OR sku = ANY($3))
), ledger AS (
    SELECT sku, location, sum(on_hand) AS on_hand, sum(quarantined) AS quarantined, sum(allocated) AS allocated
    FROM stock_movement
    WHERE sku > $1 AND ($2::text IS NULL OR sku <= $2) AND ($3::text[] IS NULL OR sku = ANY($3))
    GROUP BY sku, location
), held AS (
    SELECT i.sku, i.location, sum(i.quantity) AS reserved
    FROM reservation r JOIN reservation_line i ON i.reservation_id = r.id
    WHERE r.state IN ('active', 'committed') AND i.sku > $1 AND ($2::text IS NULL OR i.sku <= $2)
      AND ($3::text[] IS NULL OR i.sku = ANY($3))
    GROUP BY i.sku, i.location
), counted AS (
    SELECT l.sku, l.location, c.quantity AS counted, (
        SELECT coalesce(sum(m.on_hand), 0) FROM stock_movement m
        WHERE m.sku = l.sku AND m.location = l.location AND m.occurred_at <= l.counted_at
    ) AS counted_ledger
    FROM level l CROSS JOIN LATERAL (
        SELECT w.quantity FROM counted_stock w
        WHERE w.sku = l.sku AND w.location = l.location AND w.as_of = l.counted_at AND NOT w.stale
        ORDER BY w.absent, w.source DESC, w.count_id DESC LIMIT 1
    ) c
    WHERE l.counted_at IS NOT NULL
), both_sides AS (
    SELECT sku, location, l.counted_at,
           coalesce(l.on_hand, 0) AS on_hand, coalesce(l.quarantined, 0) AS quarantined,
           coalesce(l.allocated, 0) AS allocated, coalesce(l.reserved, 0) AS reserved,
           coalesce(m.on_hand, 0) AS ledger_on_hand, coalesce(m.quarantined, 0) AS ledger_quarantined,
           coalesce(m.allocated, 0) AS ledger_allocated, coalesce(h.reserved, 0) AS held_reserved,
           coalesce(c.counted - c.counted_ledger, 0) AS uncounted
    FROM level l FULL JOIN ledger m USING (sku, location) FULL JOIN held h USING (sku, location)
    LEFT JOIN counted c USING (sku, location)
)
SELECT * FROM both_sides
WHERE on_hand <> ledger_on_hand OR quarantined <> ledger_quarantined OR allocated <> ledger_allocated
   OR reserved <> held_reserved OR uncounted <> 0
ORDER BY sku, location

-- name: restate
-- Enters what the ledger lacks to add up to what was counted.
INSERT INTO stock_movement (
    source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference, on_hand
)
SELECT 'crossdock', 'restated/' || i.sku || '@' || i.location || '/' || gen_random_uuid(), 'adjustment', i.sku,
       i.location, i.quantity, coalesce(p.unit, 'EA'), i.at, 0, 'replay', i.quantity
FROM unnest($1::text[], $2::text[], $3::numeric[], $4::timestamptz[]) AS i (sku, location, quantity, at)
LEFT JOIN product p ON p.sku = i.sku

-- name: set_levels
-- Makes levels what their ledger and their reservations say.
UPDATE stock_level l
SET on_hand = i.on_hand, quarantined = i.quarantined, allocated = i.allocated, reserved = i.reserved,
    sequence = l.sequence + 1, changed_at = now()
FROM unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[])
    AS i (sku, location, on_hand, quarantined, allocated, reserved)
WHERE l.sku = i.sku AND l.location = i.location
RETURNING l.sku, l.location, l.on_hand, l.quarantined, l.allocated, l.reserved, l.sequence, l.changed_at

-- name: sums
-- These levels as they are.
SELECT l.sku, l.location, l.on_hand, l.quarantined, l.allocated
FROM unnest($1::text[], $2::text[]) AS w (sku, location)
JOIN stock_level l ON l.sku = w.sku AND l.location = w.location

-- name: how_many_levels
-- About how many levels there are.
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'stock_level'::regclass
