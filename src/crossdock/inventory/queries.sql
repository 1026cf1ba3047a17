-- name: apply_movements
-- Enters movements into the ledger once each, moves levels by what was new, marks what channels must be told.
WITH incoming AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::timestamptz[],
        $9::bigint[], $10::text[]
    ) AS i (source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference)
), applied AS (
    INSERT INTO stock_movement (
        source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference
    )
    SELECT source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference
    FROM incoming ORDER BY source, movement_id
    ON CONFLICT (source, movement_id) DO NOTHING
    RETURNING kind, sku, location, quantity, document_id
), change AS (
    SELECT sku, location, sum(quantity) FILTER (WHERE kind <> 'pick') AS effect FROM applied GROUP BY sku, location
), level AS (
    INSERT INTO stock_level AS l (sku, location, on_hand, sequence, changed_at)
    SELECT sku, location, effect, 1, now() FROM change WHERE effect <> 0 ORDER BY sku, location
    ON CONFLICT (sku, location) DO UPDATE
    SET on_hand = l.on_hand + excluded.on_hand, sequence = l.sequence + 1, changed_at = excluded.changed_at
    RETURNING l.sku, l.location, l.on_hand, l.sequence
), told AS (
    INSERT INTO channel_stock AS c (system, sku, location, wanted, wanted_sequence, dirty_since)
    SELECT p.system, l.sku, l.location, greatest(l.on_hand, 0), l.sequence, now()
    FROM level l JOIN unnest($11::text[], $12::text[]) AS p (system, location) ON p.location = l.location
    ORDER BY p.system, l.sku, l.location
    ON CONFLICT (system, sku, location) DO UPDATE
    SET wanted = excluded.wanted, wanted_sequence = excluded.wanted_sequence, wanted_at = now(),
        dirty_since = CASE WHEN c.dirty THEN c.dirty_since ELSE excluded.dirty_since END, dirty = true
    WHERE c.wanted_sequence < excluded.wanted_sequence
)
SELECT document_id, count(*) AS entered FROM applied GROUP BY document_id

-- name: claim_dirty
-- What a channel system must be told now: stock-outs at once, levels that have come to rest, and what waited long enough.
SELECT sku, location, wanted, wanted_sequence, dirty_since, told
FROM channel_stock
WHERE system = $1 AND dirty AND not_before <= now()
  AND (
      wanted = 0
      OR wanted_at <= now() - $3 * interval '1 second'
      OR dirty_since <= now() - $4 * interval '1 second'
  )
ORDER BY (wanted = 0) DESC, dirty_since
LIMIT $2

-- name: record_told
-- What a channel system acknowledged; a level that moved on meanwhile stays dirty.
UPDATE channel_stock c
SET told = i.quantity, told_sequence = i.sequence, told_at = now(), problem = '', not_before = '-infinity',
    dirty = c.wanted_sequence > i.sequence,
    dirty_since = CASE WHEN c.wanted_sequence > i.sequence THEN now() ELSE c.dirty_since END
FROM unnest($2::text[], $3::text[], $4::numeric[], $5::bigint[]) AS i (sku, location, quantity, sequence)
WHERE c.system = $1 AND c.sku = i.sku AND c.location = i.location

-- name: record_untold
-- Levels that could not be told: tried again later, with what went wrong.
UPDATE channel_stock c
SET problem = i.problem, not_before = now() + i.wait * interval '1 second'
FROM unnest($2::text[], $3::text[], $4::text[], $5::float8[]) AS i (sku, location, problem, wait)
WHERE c.system = $1 AND c.sku = i.sku AND c.location = i.location

-- name: publish_all
-- Marks every level of the given locations as to be told to a system that has not been told of it yet.
INSERT INTO channel_stock (system, sku, location, wanted, wanted_sequence, dirty_since)
SELECT p.system, l.sku, l.location, greatest(l.on_hand, 0), l.sequence, now()
FROM stock_level l JOIN unnest($1::text[], $2::text[]) AS p (system, location) ON p.location = l.location
ORDER BY p.system, l.sku, l.location
ON CONFLICT (system, sku, location) DO NOTHING
