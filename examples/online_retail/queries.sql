-- name: orders
-- Orders by month of their invoice, their lines and money added up from the documents in canonical form.
SELECT to_char(o.placed_at AT TIME ZONE 'Europe/London', 'YYYY-MM') AS month, count(*) AS documents,
       sum(jsonb_array_length(v.goods) + jsonb_array_length(v.charges)) AS lines,
       sum((SELECT sum((g -> 'total' ->> 'amount')::numeric) FROM jsonb_array_elements(v.goods) g)) AS goods,
       sum((SELECT sum((c -> 'amount' ->> 'amount')::numeric) FROM jsonb_array_elements(v.charges) c)) AS charges,
       sum((SELECT count(*) FROM jsonb_array_elements(v.charges) c WHERE (c -> 'amount' ->> 'amount')::numeric = 0))
           AS charges_of_nothing,
       sum(o.total) AS total
FROM sales_order o, LATERAL (
    SELECT coalesce(body -> 'lines', '[]') AS goods, coalesce(body -> 'charges', '[]') AS charges
    FROM (
        SELECT convert_from(w.body, 'UTF8')::jsonb AS body FROM document_version w
        WHERE w.document_id = o.document_id AND w.stage = 'canonical' ORDER BY w.number DESC LIMIT 1
    ) newest
) v
WHERE o.status = 'open'
GROUP BY 1

-- name: cancellations
-- Cancellations by month, added up as orders are.
SELECT to_char(o.cancelled_at AT TIME ZONE 'Europe/London', 'YYYY-MM') AS month, count(*) AS documents,
       sum(jsonb_array_length(v.goods) + jsonb_array_length(v.charges)) AS lines,
       sum((SELECT sum((g -> 'total' ->> 'amount')::numeric) FROM jsonb_array_elements(v.goods) g)) AS goods,
       sum((SELECT sum((c -> 'amount' ->> 'amount')::numeric) FROM jsonb_array_elements(v.charges) c)) AS charges,
       sum((SELECT count(*) FROM jsonb_array_elements(v.charges) c WHERE (c -> 'amount' ->> 'amount')::numeric = 0))
           AS charges_of_nothing,
       sum(o.total) AS total
FROM cancellation o, LATERAL (
    SELECT coalesce(body -> 'lines', '[]') AS goods, coalesce(body -> 'charges', '[]') AS charges
    FROM (
        SELECT convert_from(w.body, 'UTF8')::jsonb AS body FROM document_version w
        WHERE w.document_id = o.document_id AND w.stage = 'canonical' ORDER BY w.number DESC LIMIT 1
    ) newest
) v
GROUP BY 1

-- name: cases
-- Documents that wait for a person, by month and reason; their lines and money from the rows that were kept.
SELECT left(row ->> 'InvoiceDate', 7) AS month, reason, count(DISTINCT id) AS documents, count(*) AS lines,
       coalesce(sum(value) FILTER (WHERE NOT charge), 0) AS goods, coalesce(sum(value) FILTER (WHERE charge), 0) AS charges,
       count(*) FILTER (WHERE charge AND value = 0) AS charges_of_nothing, sum(value) AS total
FROM (
    SELECT d.id, r AS row,
           round((r ->> 'Quantity')::numeric * (r ->> 'UnitPrice')::numeric, 2) AS value,
           EXISTS (SELECT FROM crosswalk w WHERE w.name = 'charge_code' AND w.theirs = r ->> 'StockCode') AS charge,
           CASE
               WHEN d.topic NOT IN ('invoice', 'cancellation') THEN d.topic
               WHEN c.field = 'rows[0].Country' THEN 'country_unclear'
               ELSE c.rule
           END AS reason
    FROM document d
    JOIN message m ON m.id = d.message_id
    JOIN triage_case c ON c.document_id = d.id AND c.state = 'open',
    LATERAL jsonb_array_elements(convert_from(m.body, 'UTF8')::jsonb -> 'rows') r
    WHERE d.state = 'case'
) waiting
GROUP BY 1, 2
