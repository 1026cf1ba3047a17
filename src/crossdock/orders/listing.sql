-- name: newest_orders
-- Orders placed before a moment and key ($1, $2), newest first: $4 of the $5 that are looked at. `matches` is false of the
-- last one looked at when it is told of only to say how far that was. $6 channels, $7 accounts, null = all; $3 state.
SELECT x.*, (SELECT state FROM order_life l WHERE l.order_key = x.order_key) AS state FROM (
    SELECT s.*, row_number() OVER (ORDER BY placed_at DESC, order_key DESC) AS place, count(*) OVER () AS looked_at,
           ($3::text IS NULL OR EXISTS (
               SELECT FROM order_life l WHERE l.order_key = s.order_key AND l.state = $3
           )) AND ($6::text[] IS NULL OR channel = ANY($6))
           AND ($7::text[] IS NULL OR customer_id = ANY($7)) AS matches
    FROM (
        SELECT order_key, number, channel, customer_id, po_number, status, version, currency, total, placed_at, changed_at
        FROM sales_order WHERE (placed_at, order_key) < ($1::timestamptz, $2::text)
        ORDER BY placed_at DESC, order_key DESC LIMIT $5
    ) s
) x WHERE matches OR place = looked_at ORDER BY place LIMIT $4

-- name: orders_of_customers
-- The same, of a few accounts $7: it reads up to $5 orders of each.
SELECT x.*, (SELECT state FROM order_life l WHERE l.order_key = x.order_key) AS state FROM (
    SELECT s.*, row_number() OVER (ORDER BY placed_at DESC, order_key DESC) AS place, count(*) OVER () AS looked_at,
           ($3::text IS NULL OR EXISTS (
               SELECT FROM order_life l WHERE l.order_key = s.order_key AND l.state = $3
           )) AND ($6::text[] IS NULL OR channel = ANY($6)) AS matches
    FROM (
        SELECT o.* FROM unnest($7::text[]) AS wanted (account) CROSS JOIN LATERAL (
            SELECT order_key, number, channel, customer_id, po_number, status, version, currency, total, placed_at,
                   changed_at
            FROM sales_order WHERE customer_id = wanted.account AND (placed_at, order_key) < ($1::timestamptz, $2::text)
            ORDER BY placed_at DESC, order_key DESC LIMIT $5
        ) o
        ORDER BY placed_at DESC, order_key DESC LIMIT $5
    ) s
) x WHERE matches OR place = looked_at ORDER BY place LIMIT $4

-- name: orders_of_po
-- The same, of the purchase order number $8; $9 a SKU they ask for, null = any.
SELECT x.*, (SELECT state FROM order_life l WHERE l.order_key = x.order_key) AS state FROM (
    SELECT s.*, row_number() OVER (ORDER BY placed_at DESC, order_key DESC) AS place, count(*) OVER () AS looked_at,
           ($3::text IS NULL OR EXISTS (
               SELECT FROM order_life l WHERE l.order_key = s.order_key AND l.state = $3
           )) AND ($6::text[] IS NULL OR channel = ANY($6))
           AND ($7::text[] IS NULL OR customer_id = ANY($7))
           AND ($9::text IS NULL OR EXISTS (
               SELECT FROM order_sku k WHERE k.sku = $9 AND k.placed_at = s.placed_at AND k.order_key = s.order_key
           )) AS matches
    FROM (
        SELECT order_key, number, channel, customer_id, po_number, status, version, currency, total, placed_at, changed_at
        FROM sales_order
        WHERE po_number = $8 AND po_number <> '' AND (placed_at, order_key) < ($1::timestamptz, $2::text)
        ORDER BY placed_at DESC, order_key DESC LIMIT $5
    ) s
) x WHERE matches OR place = looked_at ORDER BY place LIMIT $4

-- name: orders_of_sku
-- The same, of orders that ask for the SKU $8.
SELECT x.*, (SELECT state FROM order_life l WHERE l.order_key = x.order_key) AS state FROM (
    SELECT s.*, row_number() OVER (ORDER BY placed_at DESC, order_key DESC) AS place, count(*) OVER () AS looked_at,
           ($3::text IS NULL OR EXISTS (
               SELECT FROM order_life l WHERE l.order_key = s.order_key AND l.state = $3
           )) AND ($6::text[] IS NULL OR channel = ANY($6))
           AND ($7::text[] IS NULL OR customer_id = ANY($7)) AS matches
    FROM (
        SELECT o.order_key, o.number, o.channel, o.customer_id, o.po_number, o.status, o.version, o.currency, o.total,
               o.placed_at, o.changed_at
        FROM (
            SELECT order_key, placed_at FROM order_sku
            WHERE sku = $8 AND (placed_at, order_key) < ($1::timestamptz, $2::text)
            ORDER BY placed_at DESC, order_key DESC LIMIT $5
        ) k JOIN sales_order o USING (order_key)
    ) s
) x WHERE matches OR place = looked_at ORDER BY place LIMIT $4
