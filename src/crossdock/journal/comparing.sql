-- name: try_lock
-- Whether this is the only comparison of its kind that runs; held by the connection.
SELECT pg_try_advisory_lock(hashtext('crossdock.reconcile/' || $1::text))

-- name: unlock
-- Lets the next comparison of the kind run.
SELECT pg_advisory_unlock(hashtext('crossdock.reconcile/' || $1::text))

-- name: told_again_before
-- Pairs that a channel was told again by the newest comparison of kind $3 of all it shows, or by one of some SKUs since.
SELECT DISTINCT d.sku, d.location
FROM reconciliation_difference d JOIN reconciliation r ON r.id = d.reconciliation_id AND r.kind = $3
WHERE d.system = $1 AND d.action = 'told_again' AND d.reconciliation_id < $2
  AND d.reconciliation_id >= coalesce(
      (SELECT max(id) FROM reconciliation
       WHERE id < $2 AND kind = $3 AND $1 = ANY(systems) AND finished_at > now() - interval '2 days'),
      (SELECT min(id) FROM reconciliation WHERE started_at > now() - interval '2 days')
  )

-- name: begin_reconciliation
-- A comparison begins.
INSERT INTO reconciliation (kind, asked_by) VALUES ($1, $2) RETURNING id, started_at

-- name: end_reconciliation
-- What a comparison came to.
UPDATE reconciliation
SET finished_at = now(), compared = $2, equal = $3, healed = $4, cases = $5, problems = $6, systems = $7
WHERE id = $1

-- name: record_differences
-- Where figures differed.
INSERT INTO reconciliation_difference (
    reconciliation_id, system, sku, location, ours, theirs, class, reason, action, money, currency
)
SELECT $1, * FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::text[], $8::text[], $9::text[],
    $10::numeric[], $11::text[]
)
ON CONFLICT DO NOTHING

-- name: record_kpis
-- Key figures of one moment.
INSERT INTO kpi (name, dimension, value) SELECT $1, * FROM unnest($2::text[], $3::float8[]) ON CONFLICT DO NOTHING

-- name: last_reconciliation
-- When things of a kind were last compared of themselves, so that the next comparison begins in time.
SELECT max(started_at) FROM reconciliation WHERE kind = $1 AND asked_by = 'schedule'
