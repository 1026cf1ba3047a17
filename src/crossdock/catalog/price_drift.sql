-- name: ours_of
-- What a channel is to show of SKUs and was told, a page after $3; of $2, or of all.
SELECT sku, wanted, told, currency, wanted_at, told_at, problem, refusals
FROM channel_price WHERE channel = $1 AND ($2::text[] IS NULL OR sku = ANY($2)) AND sku > $3 ORDER BY sku LIMIT $4

-- name: tell_again
-- Makes prices be told again: nobody knows what the channel shows. False when the channel is told none.
WITH ours AS MATERIALIZED (
    SELECT FROM price_publication WHERE channel = $1 FOR UPDATE
), again AS (
    UPDATE channel_price c SET told = NULL, problem = '', refusals = 0, not_before = NULL
    FROM ours WHERE c.channel = $1 AND c.sku = ANY($2::text[])
)
SELECT EXISTS (SELECT FROM ours)

-- name: orders_of
-- Orders that ask for any of these SKUs ($2), placed on a channel ("" = on any) since $3 and not cancelled, the newest
-- first, with their newest form; at most $4.
SELECT coalesce(v.body, m.body) AS body
FROM (
    SELECT k.order_key, max(k.placed_at) AS placed_at
    FROM order_sku k WHERE k.sku = ANY($2::text[]) AND k.placed_at >= $3
    GROUP BY k.order_key ORDER BY 2 DESC LIMIT $4
) k
JOIN sales_order o ON o.order_key = k.order_key AND o.status = 'open' AND ($1 = '' OR o.channel = $1)
JOIN document d ON d.id = o.document_id
JOIN message m ON m.id = d.message_id
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
