-- What decisions read of customer accounts, and bounds of what is reckoned with.

-- Beside the body as products have it, so that a cache does not read and decode every body; none for plain accounts.
ALTER TABLE customer ADD COLUMN details bytea;
COMMENT ON COLUMN customer.details IS 'what decisions need and not every account has: JSON; NULL = nothing';
UPDATE customer c
SET details = (
    SELECT convert_to(jsonb_object_agg(said.key, said.value)::text, 'UTF8')
    FROM jsonb_each(convert_from(c.body, 'UTF8')::jsonb) said
    WHERE said.key IN ('currency', 'terms', 'price_group', 'credit_limit', 'addresses')
        AND said.value NOT IN ('null', '""', '[]')
);

-- canonical.money.within_bounds; what is no number is not.
CREATE FUNCTION pg_temp.within_bounds(number numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(number >= 0 AND number < 1e12 AND scale(number) <= 9, false)
$$;

-- A product without the units and the price that no decision could be made with.
CREATE FUNCTION pg_temp.bounded(product jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN priced ? 'units' THEN jsonb_set(priced, '{units}', (
            SELECT coalesce(jsonb_agg(unit ORDER BY place), '[]')
            FROM jsonb_array_elements(priced -> 'units') WITH ORDINALITY AS u (unit, place)
            WHERE pg_temp.within_bounds((unit ->> 'factor')::numeric) AND (unit ->> 'factor')::numeric > 0
        )) ELSE priced END
    FROM (
        SELECT CASE WHEN jsonb_typeof(product -> 'price') = 'object'
                AND NOT pg_temp.within_bounds((product #>> '{price,amount}')::numeric)
            THEN product - 'price' ELSE product END AS priced
    ) p
$$;

-- Of both, as both are read; what is within bounds is left as it is written.
UPDATE product
SET details = convert_to(pg_temp.bounded(convert_from(details, 'UTF8')::jsonb)::text, 'UTF8')
WHERE convert_from(details, 'UTF8')::jsonb <> pg_temp.bounded(convert_from(details, 'UTF8')::jsonb);
UPDATE product
SET body = convert_to(pg_temp.bounded(convert_from(body, 'UTF8')::jsonb)::text, 'UTF8')
WHERE convert_from(body, 'UTF8')::jsonb <> pg_temp.bounded(convert_from(body, 'UTF8')::jsonb);

-- Quantity breaks that begin at more than nine decimals begin at the ninth above: no quantity is priced otherwise that
-- an order would name. Of two that come to begin at the same, the one that began later stays.
CREATE FUNCTION pg_temp.bounded_breaks(breaks jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(jsonb_set(step, '{from_quantity}', to_jsonb(begins::text)) ORDER BY begins)
    FROM (
        SELECT DISTINCT ON (begins) step, begins
        FROM (
            SELECT step, (step ->> 'from_quantity')::numeric AS began FROM jsonb_array_elements(breaks) AS b (step)
        ) given,
        LATERAL (
            SELECT trim_scale(trunc(began, 9) + CASE WHEN trunc(began, 9) < began THEN 1e-9 ELSE 0 END) AS begins
        ) rounded
        ORDER BY begins, began DESC
    ) kept
$$;
UPDATE price_list l
SET body = convert_to(
    jsonb_set(
        convert_from(l.body, 'UTF8')::jsonb,
        '{entries}',
        (
            SELECT jsonb_agg(
                CASE WHEN jsonb_array_length(entry -> 'breaks') > 0
                    THEN jsonb_set(entry, '{breaks}', pg_temp.bounded_breaks(entry -> 'breaks')) ELSE entry END
                ORDER BY place
            )
            FROM jsonb_array_elements(convert_from(l.body, 'UTF8')::jsonb -> 'entries') WITH ORDINALITY AS e (entry, place)
        )
    )::text,
    'UTF8'
)
WHERE EXISTS (
    SELECT FROM jsonb_path_query(convert_from(l.body, 'UTF8')::jsonb, '$.entries[*].breaks[*].from_quantity') AS q (value)
    WHERE scale((q.value #>> '{}')::numeric) > 9
);
