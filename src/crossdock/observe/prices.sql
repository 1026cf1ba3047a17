-- name: price_figures
-- How telling each channel its prices goes.
SELECT p.channel, p.system, p.calls, p.lag_p50, p.lag_p95, p.lag_p99, w.waiting, w.refused, w.staleness,
       (
           SELECT count(*) FROM channel_price c
           WHERE c.channel = p.channel AND c.wanted IS NULL AND c.told IS NOT NULL
       ) AS withdrawn
FROM price_publication p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE refusals = 0) AS waiting, count(*) FILTER (WHERE refusals > 0) AS refused,
           coalesce(extract(epoch FROM now() - min(wanted_at) FILTER (WHERE refusals = 0)), 0)::float8 AS staleness
    FROM channel_price c
    WHERE c.channel = p.channel AND c.wanted IS NOT NULL AND c.told IS DISTINCT FROM c.wanted
) w
ORDER BY p.channel
