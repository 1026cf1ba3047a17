-- name: past_levels
-- What had been entered of SKUs until a moment: movements, and reservations that held then.
WITH made AS (
    SELECT sku, location, on_hand, quarantined, allocated, 0 AS reserved, recorded_at AS at
    FROM stock_movement WHERE sku = ANY($1::text[]) AND recorded_at <= $2
    UNION ALL
    SELECT l.sku, l.location, 0, 0, 0, l.quantity, r.created_at
    FROM reservation_line l JOIN reservation r ON r.id = l.reservation_id
    WHERE l.sku = ANY($1::text[]) AND r.created_at <= $2 AND (r.ended_at IS NULL OR r.ended_at > $2)
)
SELECT sku, location, sum(on_hand) AS on_hand, sum(quarantined) AS quarantined, sum(allocated) AS allocated,
       sum(reserved) AS reserved, count(*) AS sequence, max(at) AS changed_at
FROM made GROUP BY sku, location
