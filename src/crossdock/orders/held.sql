-- name: held_before
-- What held each of these documents when it was last decided on, as JSON.
SELECT document_id, failures FROM triage_case
WHERE document_id = ANY($1::bigint[]) AND delivery_id IS NULL AND state = 'open' AND hold <> ''

-- name: releases_of
-- What persons have released of orders.
SELECT order_key, mark, by, reason FROM order_release WHERE order_key = ANY($1::text[])

-- name: write_releases
-- Notes what a person releases of orders; what was released before stays as it is.
INSERT INTO order_release (order_key, mark, rule, field, value, by, origin, reason, case_id)
SELECT i.order_key, i.mark, i.rule, i.field, i.value, $7, $8, $9, i.case_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    AS i (order_key, mark, rule, field, value, case_id)
ORDER BY i.order_key, i.mark
ON CONFLICT DO NOTHING
