-- name: kept_range
-- Which documents of these kinds were kept in a time and went through: how many, the first and the last of them.
SELECT count(*) AS documents, coalesce(min(id), 0) AS first, coalesce(max(id), 0) AS last
FROM document
WHERE received_at >= $1 AND received_at < $2 AND kind = ANY($3::text[]) AND state IN ('settled', 'duplicate')

-- name: kept_page
-- Such documents, oldest first, as they came or as a person edited them last; parts as they were split off or edited.
SELECT d.id, d.message_id, d.parent_id, d.interface, d.topic, d.kind, d.key, d.version, d.digest, d.step, d.items,
       d.attempts, d.received_at, d.note, d.overtakes,
       coalesce(v.body, m.body) AS body, coalesce(v.stage, 'source') AS stage, coalesce(v.number, 0) AS number,
       coalesce(v.made_by, '') AS made_by, false AS same_bytes
FROM document d
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT body, stage, number, made_by FROM document_version w
    WHERE w.document_id = d.id AND (w.author <> '' OR (d.parent_id IS NOT NULL AND w.number = 1))
    ORDER BY number DESC LIMIT 1
) v ON true
WHERE d.id > $4 AND d.id <= $5 AND d.received_at >= $1 AND d.received_at < $2 AND d.kind = ANY($3::text[])
  AND d.state IN ('settled', 'duplicate')
ORDER BY d.id LIMIT $6

-- name: split_off
-- What became documents of their own of these documents, as it was when it was split off.
SELECT d.id, d.message_id, d.parent_id, d.interface, d.topic, d.kind, d.key, d.version, d.digest, d.step, d.items,
       d.attempts + 1 AS attempts, d.received_at, d.note, d.overtakes, v.body, v.stage, v.number, v.made_by,
       false AS same_bytes
FROM document d JOIN document_version v ON v.document_id = d.id AND v.number = 1
WHERE d.message_id = ANY($1::bigint[]) AND d.parent_id = ANY($2::bigint[])

-- name: kept_orders
-- Orders placed in a time with their routing decision and their body as it was decided on, by key; those after $3.
SELECT s.order_key, s.decision, v.body
FROM sales_order s
CROSS JOIN LATERAL (
    SELECT body FROM document_version w
    WHERE w.document_id = s.document_id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v
WHERE s.placed_at >= $1 AND s.placed_at < $2 AND s.order_key > $3
ORDER BY s.order_key LIMIT $4

-- name: count_orders
-- How many orders were placed in a time.
SELECT count(*) FROM sales_order WHERE placed_at >= $1 AND placed_at < $2

-- name: kept_order
-- One order with its routing decision and its body as it was decided on.
SELECT s.order_key, s.decision, v.body
FROM sales_order s
CROSS JOIN LATERAL (
    SELECT body FROM document_version w
    WHERE w.document_id = s.document_id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v
WHERE s.order_key = $1

-- name: kept_bodies
-- Orders that are not cancelled, with their routing decisions and their bodies as they were decided on.
SELECT s.order_key, s.decision, v.body
FROM sales_order s
CROSS JOIN LATERAL (
    SELECT body FROM document_version w
    WHERE w.document_id = s.document_id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v
WHERE s.order_key = ANY($1::text[]) AND s.status = 'open' ORDER BY s.order_key
