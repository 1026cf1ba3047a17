-- name: indexes
-- Indexes of the ledger beside its primary key.
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'stock_movement' AND indexname <> 'stock_movement_pkey'

-- name: products
-- SKUs in the catalog.
INSERT INTO product (sku, unit, body) SELECT 'S-' || lpad(n::text, 6, '0'), 'EA', '{}' FROM generate_series(0, $1::int - 1) n

-- name: ledger
-- Rows $3 to $4 of a ledger of $5, spread evenly over $1 SKUs and $2 locations, a second apart up to now.
INSERT INTO stock_movement (
    source, movement_id, kind, sku, location, quantity, unit, occurred_at, recorded_at, document_id, on_hand
)
SELECT 'wms', 'o' || lpad(n::text, 10, '0'), 'receipt', 'S-' || lpad(((n / $2::bigint) % $1::bigint)::text, 6, '0'),
       'L-' || lpad((n % $2::bigint)::text, 2, '0'), 1 + n % 7, 'EA', now() - ($5::bigint - n) * interval '1 second',
       now() - ($5::bigint - n) * interval '1 second', n / 500, 1 + n % 7
FROM generate_series($3::bigint, $4::bigint - 1) n

-- name: levels
-- Levels as the ledger adds up to them.
INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at)
SELECT sku, location, sum(on_hand), count(*), max(recorded_at) FROM stock_movement GROUP BY sku, location

-- name: bare
-- The least that applying movements can be: a row in the ledger each, and the level moved by what was new.
WITH applied AS (
    INSERT INTO stock_movement (source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, on_hand)
    SELECT *, quantity FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::timestamptz[], $9::bigint[]
    ) AS i (source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id)
    ON CONFLICT (source, movement_id) DO NOTHING
    RETURNING sku, location, on_hand
), change AS (
    SELECT sku, location, sum(on_hand) AS on_hand FROM applied GROUP BY sku, location ORDER BY sku, location
)
INSERT INTO stock_level AS l (sku, location, on_hand, sequence, changed_at)
SELECT sku, location, on_hand, 1, now() FROM change
ON CONFLICT (sku, location) DO UPDATE
SET on_hand = l.on_hand + excluded.on_hand, sequence = l.sequence + 1, changed_at = excluded.changed_at
