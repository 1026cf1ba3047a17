-- name: refresh_cases
-- Brings open cases of the same documents and deliveries up to date with what is wrong now.
UPDATE triage_case c
SET step = i.step, class = i.class, rule = i.rule, field = i.field, value = i.value, reason = i.reason, fix = i.fix,
    owner = i.owner, deadline = i.deadline, money = i.money, currency = i.currency, hold = i.hold,
    failures = i.failures
FROM unnest(
    $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::numeric[], $16::text[], $17::text[],
    $18::bytea[]
) AS i (document_id, delivery_id, interface, system, key, step, class, rule, field, value, reason, fix, owner, deadline,
        money, currency, hold, failures)
WHERE c.document_id = i.document_id AND c.delivery_id IS NOT DISTINCT FROM i.delivery_id AND c.state = 'open'
RETURNING c.id, c.document_id, c.delivery_id

-- name: open_cases
-- Opens a case for each document and delivery given.
INSERT INTO triage_case (document_id, delivery_id, interface, system, key, step, class, rule, field, value, reason, fix,
                         owner, deadline, money, currency, hold, failures)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::numeric[], $16::text[], $17::text[],
    $18::bytea[]
)
RETURNING id, document_id, delivery_id

-- name: close_documents
-- Closes open cases of documents that went on by themselves (not those of single deliveries).
UPDATE triage_case
SET state = 'resolved', closed_at = now(), closed_by = 'crossdock', close_reason = 'the document went on'
WHERE document_id = ANY($1::bigint[]) AND delivery_id IS NULL AND state = 'open'

-- name: close_deliveries
-- Closes open cases of deliveries that a system has taken.
UPDATE triage_case c
SET state = 'resolved', closed_at = now(), closed_by = 'crossdock', close_reason = 'delivered'
FROM delivery d
WHERE d.id = ANY($1::bigint[]) AND c.document_id = d.document_id AND c.delivery_id = d.id AND c.state = 'open'

-- name: superseded
-- Older documents that wait for a person though a newer full statement of the same thing was accepted.
SELECT o.id, n.id AS newer
FROM unnest($1::text[], $2::bigint[]) AS i (key, newer_than)
JOIN document n ON n.id = i.newer_than AND n.overtakes
JOIN document o ON o.key = i.key AND o.id < i.newer_than
WHERE o.state = 'case' AND o.step IN ('translate', 'decide') AND o.interface = n.interface AND o.version <= n.version
  AND o.parent_id IS NULL
ORDER BY o.id

-- name: mark_superseded
-- Turns documents into duplicates of the newer ones that replaced them.
UPDATE document d
SET state = 'duplicate', step = 'done', settled_at = now(), note = 'superseded by document ' || i.newer
FROM unnest($1::bigint[], $2::bigint[]) AS i (id, newer)
WHERE d.id = i.id AND d.state = 'case'
RETURNING d.id

-- name: close_superseded
-- Closes the cases of superseded documents.
UPDATE triage_case c
SET state = 'resolved', closed_at = now(), closed_by = 'crossdock', close_reason = d.note
FROM document d
WHERE d.id = c.document_id AND d.id = ANY($1::bigint[]) AND c.delivery_id IS NULL AND c.state = 'open'

-- name: about_cases
-- What cases are about, without locking them.
SELECT id, document_id, delivery_id
FROM triage_case WHERE id = ANY($1::bigint[]) ORDER BY id

-- name: lock_cases
-- Locks open cases in id order.
SELECT id, document_id, delivery_id, key, step FROM triage_case
WHERE id = ANY($1::bigint[]) AND state = 'open' ORDER BY id FOR UPDATE

-- name: lock_deliveries
-- Locks deliveries in id order.
SELECT id FROM delivery WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE

-- name: retry_documents
-- Makes documents that stopped before delivery due at once; their attempts are kept.
UPDATE document SET state = 'received', next_at = now()
WHERE id = ANY($1::bigint[]) AND state IN ('case', 'retry') AND step IN ('translate', 'decide')
RETURNING id

-- name: retry_deliveries
-- Makes deliveries due at once; one whose outcome was ever unknown is looked for before it is sent again.
UPDATE delivery v
SET state = 'due', next_at = now(),
    look_first = v.look_first OR EXISTS (
        SELECT FROM delivery_attempt a WHERE a.delivery_id = v.id AND a.outcome LIKE '%unknown%'
    )
WHERE v.id = ANY($1::bigint[]) AND v.state IN ('case', 'due')
RETURNING v.id, v.document_id

-- name: long_held
-- Held orders that were not looked at for so long, the longest first, at most $2.
SELECT id, document_id FROM triage_case
WHERE state = 'open' AND hold <> '' AND looked_at < now() - $1::interval ORDER BY looked_at, id LIMIT $2

-- name: mark_looked_at
-- Notes that these cases are looked at now, unless somebody else has just done so.
UPDATE triage_case SET looked_at = now()
WHERE id = ANY($1::bigint[]) AND state = 'open' AND hold <> '' AND looked_at < now() - $2::interval
RETURNING document_id

-- name: look_at_documents
-- Makes held documents due at once, with one try at most behind them, so that looking never makes them fail.
UPDATE document SET state = 'received', next_at = now(), attempts = least(attempts, 1)
WHERE id = ANY($1::bigint[]) AND state = 'case' AND step IN ('translate', 'decide')
RETURNING id

-- name: reject_documents
-- Gives up documents that stopped before delivery.
UPDATE document SET state = 'rejected', step = 'done', settled_at = now(), note = $2
WHERE id = ANY($1::bigint[]) AND state IN ('case', 'retry', 'received') AND step IN ('translate', 'decide')
RETURNING id

-- name: cancel_deliveries
-- Gives up deliveries that nobody is trying at this moment.
UPDATE delivery v SET state = 'cancelled', settled_at = now(), last_error = $2
WHERE v.id = ANY($1::bigint[]) AND v.state IN ('case', 'due')
  AND (v.state = 'case' OR NOT EXISTS (
      SELECT FROM delivery_claim c WHERE c.system = v.system AND v.id = ANY(c.delivery_ids)
  ))
RETURNING v.id, v.document_id

-- name: dismiss_cases
-- Closes cases that a person gave up.
UPDATE triage_case SET state = 'dismissed', closed_at = now(), closed_by = $2, close_reason = $3
WHERE id = ANY($1::bigint[]) AND state = 'open'

-- name: editing
-- What an edit of a case would replace.
SELECT c.id, c.document_id, c.delivery_id, c.step, c.state, d.kind, d.state AS document_state,
       v.object, v.body AS delivery_body, v.state AS delivery_state, m.body AS message_body,
       s.body AS source_body, n.body AS canonical_body,
       coalesce((SELECT max(number) FROM document_version w WHERE w.document_id = d.id), 0) AS number
FROM triage_case c
JOIN document d ON d.id = c.document_id
JOIN message m ON m.id = d.message_id
LEFT JOIN delivery v ON v.id = c.delivery_id
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'source' ORDER BY number DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) n ON true
WHERE c.id = $1

-- name: write_version
-- Keeps an edited form of a document.
INSERT INTO document_version (document_id, number, stage, body, made_by, author, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: write_delivery_body
-- Replaces what a delivery sends.
UPDATE delivery SET body = $2 WHERE id = $1

-- name: list_cases
-- Cases that fit every filter given, the newest first, from below id $8, with their last retry.
SELECT c.id, c.document_id, c.delivery_id, c.interface, c.system, c.key, c.step, c.class, c.rule, c.field, c.value,
       c.reason, c.fix, c.owner, c.deadline, c.money, c.currency, c.state, c.opened_at, c.closed_at, c.closed_by,
       c.close_reason, c.hold
FROM triage_case c
WHERE ($1::text IS NULL OR c.state = $1) AND ($2::text IS NULL OR c.interface = $2)
  AND ($3::text IS NULL OR c.system = $3) AND ($4::text IS NULL OR c.class = $4)
  AND ($5::text IS NULL OR c.owner = $5)
  AND ($6::text IS NULL OR c.key ILIKE $6 OR c.reason ILIKE $6 OR c.field ILIKE $6 OR c.value ILIKE $6)
  AND ($8::bigint IS NULL OR c.id < $8)
  AND ($9::text IS NULL OR (c.hold <> '' AND ($9 = 'any' OR $9 = ANY(string_to_array(c.hold, ',')))))
ORDER BY c.id DESC LIMIT $7

-- name: failures_of
-- All that is wrong with what a case is about, as JSON.
SELECT failures FROM triage_case WHERE id = $1

-- name: holding
-- What holds these cases.
SELECT id, hold, failures FROM triage_case WHERE id = ANY($1::bigint[])

-- name: retried
-- The last retry, edit or release of each case.
SELECT DISTINCT ON (what) what, at, who FROM audit
WHERE what = ANY($1::text[]) AND action IN ('case.retry', 'case.edit', 'case.release') ORDER BY what, id DESC

-- name: show_case
-- One case with the columns list_cases shows.
SELECT c.id, c.document_id, c.delivery_id, c.interface, c.system, c.key, c.step, c.class, c.rule, c.field, c.value,
       c.reason, c.fix, c.owner, c.deadline, c.money, c.currency, c.state, c.opened_at, c.closed_at, c.closed_by,
       c.close_reason, c.hold
FROM triage_case c WHERE c.id = $1

-- name: group_cases
-- Open cases of one cause together: how many, since when, how much money.
SELECT interface, system, step, class, rule, field, count(*) AS number, min(opened_at) AS first_at,
       max(opened_at) AS last_at, min(deadline) AS deadline, min(reason) AS example, min(id) AS example_id
FROM triage_case WHERE state = 'open'
GROUP BY interface, system, step, class, rule, field ORDER BY number DESC, first_at LIMIT $1
