-- name: told_now
-- What a system was told of SKUs last, by location.
SELECT sku, location, told, told_at, problem
FROM channel_stock WHERE system = $1 AND sku = ANY($2::text[]) ORDER BY sku, location

-- name: told_at
-- The newest number that each system had acknowledged at a moment, by location.
SELECT DISTINCT ON (sku, system, location) sku, system, location, quantity, told_at
FROM told_stock WHERE sku = ANY($1::text[]) AND told_at <= $2
ORDER BY sku, system, location, told_at DESC, sequence DESC

-- name: expected_of_skus
-- Goods of these SKUs that are still to come to these locations.
SELECT sku, location, due_at, reference, quantity - received AS open
FROM expected_stock
WHERE sku = ANY($1::text[]) AND location = ANY($2::text[]) AND status = 'open' AND received < quantity
ORDER BY sku, due_at, location, reference
