-- name: interfaces
-- What each incoming interface has open now, by state.
WITH still_open AS (
    -- Two partial indexes hold what is open: documents before delivery, and what deliveries are owed.
    SELECT id, interface, state, received_at FROM document WHERE state IN ('received', 'retry', 'case')
    UNION ALL
    SELECT id, interface, state, received_at FROM document
    WHERE state = 'delivering' AND id = ANY(ARRAY(
        SELECT document_id FROM delivery WHERE state IN ('due', 'case')
    ))
)
SELECT i.name AS interface, i.system, i.object, i.owner, i.tier, i.state AS lifecycle,
       extract(epoch FROM i.settle_within)::float8 AS settle_within,
       count(d.id) FILTER (WHERE d.state = 'received') AS waiting,
       count(d.id) FILTER (WHERE d.state = 'retry') AS retrying,
       count(d.id) FILTER (WHERE d.state = 'case') AS in_case,
       count(d.id) FILTER (WHERE d.state = 'delivering') AS delivering,
       count(d.id) FILTER (WHERE d.received_at + i.settle_within < now()) AS overdue,
       min(d.received_at) AS oldest_at
FROM interface i
LEFT JOIN still_open d ON d.interface = i.name
WHERE i.direction = 'in'
GROUP BY i.name ORDER BY i.name

-- name: came_in
-- Documents received per interface and minute since $1; walks the newest documents only.
SELECT interface, date_trunc('minute', received_at) AS minute, count(*) AS number
FROM document
WHERE id > coalesce((SELECT id FROM document WHERE received_at < $1::timestamptz - interval '10 seconds' ORDER BY id DESC LIMIT 1), 0)
  AND received_at >= $1 AND parent_id IS NULL
GROUP BY 1, 2

-- name: settled
-- Documents settled per interface and minute since $1.
SELECT interface, date_trunc('minute', settled_at) AS minute, count(*) AS number
FROM document
WHERE settled_at >= $1 AND state = 'settled' AND parent_id IS NULL
GROUP BY 1, 2

-- name: lag
-- Seconds from received to settled of documents settled since $1, per interface; at most 20,000 of the newest.
SELECT interface, count(*) AS number,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::float8 AS p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)::float8 AS p99
FROM (
    SELECT interface, extract(epoch FROM settled_at - received_at) AS seconds
    FROM document WHERE settled_at >= $1 AND state = 'settled' AND parent_id IS NULL
    ORDER BY settled_at DESC LIMIT 20000
) recent
GROUP BY interface

-- name: systems
-- Each system: what it is owed, since when, whether it is tried, and when it last took something.
WITH known AS (
    SELECT system FROM interface UNION SELECT system FROM system_lease
), owed AS (
    SELECT system,
           count(*) FILTER (WHERE state = 'due' AND NOT id = ANY(ARRAY(SELECT unnest(delivery_ids) FROM delivery_claim))) AS due,
           count(*) FILTER (WHERE state = 'due' AND id = ANY(ARRAY(SELECT unnest(delivery_ids) FROM delivery_claim))) AS sending,
           count(*) FILTER (WHERE state = 'case') AS in_case, min(created_at) FILTER (WHERE state = 'due') AS oldest_at
    FROM delivery WHERE state IN ('due', 'case') GROUP BY system
), last_taken AS (
    -- The newest 5,000 obligations are enough to say when a system last took something; further back it is silence.
    SELECT system, max(settled_at) AS last_success
    FROM delivery
    WHERE id > (SELECT coalesce(max(id), 0) - 5000 FROM delivery) AND state = 'delivered' GROUP BY system
)
SELECT k.system, coalesce(o.due, 0) AS due, coalesce(o.sending, 0) AS sending, coalesce(o.in_case, 0) AS in_case,
       o.oldest_at, t.last_success, coalesce(l.breaker, 'closed') AS breaker, l.breaker_until,
       coalesce(l.breaker_reason, '') AS breaker_reason, coalesce(l.paused, false) AS paused,
       coalesce(l.paused_by, '') AS paused_by, coalesce(l.pause_reason, '') AS pause_reason,
       coalesce(l.expires_at > now(), false) AS driven, l.seen_at,
       coalesce(p.waiting, 0) AS stock_waiting, p.waiting_since AS stock_since,
       extract(epoch FROM now() - p.waiting_since)::float8 AS stock_lag, coalesce(p.problems, 0) AS stock_problems,
       coalesce(p.channel, '') AS channel, coalesce(p.reason, '') AS stock_reason, coalesce(p.calls, 0) AS stock_calls,
       coalesce(p.fewest_calls, 0) AS stock_fewest_calls, p.lag_p50 AS told_p50, p.lag_p95 AS told_p95,
       p.lag_p99 AS told_p99
FROM known k
LEFT JOIN owed o USING (system)
LEFT JOIN last_taken t USING (system)
LEFT JOIN system_lease l USING (system)
LEFT JOIN publication p USING (system)
ORDER BY k.system

-- name: delivered
-- Deliveries taken per system and minute since $1.
SELECT system, date_trunc('minute', settled_at) AS minute, count(*) AS number
FROM delivery
WHERE id > (SELECT coalesce(max(id), 0) - 100000 FROM delivery) AND settled_at >= $1 AND state = 'delivered'
GROUP BY 1, 2

-- name: open_cases
-- Open cases per incoming interface of their document and currency: how many, how many late, the money at stake.
SELECT d.interface, c.currency, count(*) AS number, count(*) FILTER (WHERE c.deadline < now()) AS overdue,
       coalesce(sum(money), 0) AS money
FROM (
    -- A document with several stuck deliveries puts its money at stake once.
    SELECT document_id, currency, deadline,
           CASE WHEN row_number() OVER (PARTITION BY document_id, currency ORDER BY id) = 1 THEN money END AS money
    FROM triage_case WHERE state = 'open'
) c
JOIN document d ON d.id = c.document_id
GROUP BY d.interface, c.currency ORDER BY d.interface, c.currency

-- name: polls
-- Topics that systems are asked about: seconds since they were read whole, and since the newest change.
SELECT interface, topic, extract(epoch FROM now() - asked_at)::float8 AS age,
       extract(epoch FROM now() - reached)::float8 AS quiet, failures, trouble
FROM poll WHERE active ORDER BY interface, topic
