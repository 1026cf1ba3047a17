-- name: told_before
-- What each channel system had last been told of a SKU at a moment.
SELECT t.system, t.location, t.quantity, t.sequence, t.changed_at, t.told_at
FROM (SELECT DISTINCT system FROM interface) s
JOIN channel_stock c ON c.system = s.system AND c.sku = $1
CROSS JOIN LATERAL (
    SELECT * FROM told_stock w
    WHERE w.sku = $1 AND w.system = c.system AND w.location = c.location AND w.told_at <= $2
    ORDER BY w.told_at DESC LIMIT 1
) t
ORDER BY t.system, t.location LIMIT $3

-- name: moved_before
-- Movements of a SKU that had been entered at a moment, the newest first.
SELECT source, movement_id, kind, location, quantity, unit, occurred_at, recorded_at, document_id, reference, late
FROM stock_movement WHERE sku = $1 AND recorded_at <= $2 ORDER BY recorded_at DESC, occurred_at DESC LIMIT $3
