-- name: keep
-- Keeps messages that are new and opens a document for each: the numbers drawn for the inputs, in their order, and those
-- of the documents opened. Numbers are drawn first, so that message and document are written without looking for each
-- other by their keys. Interface, topic and overtakes may be given once for all.
WITH incoming AS MATERIALIZED (
    SELECT nextval('message_id_seq') AS message_id, nextval('document_id_seq') AS id,
           coalesce(i.interface, ($1::text[])[1]) AS interface, coalesce(i.topic, ($2::text[])[1]) AS topic,
           coalesce(i.overtakes, ($8::boolean[])[1]) AS overtakes,
           i.dedup_key, i.key, i.version, i.body, i.digest, i.headers, i.items, i.problem
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text::bigint[], $6::bytea[],
        $7::text::bigint[], $8::boolean[], $9::bytea[], $10::integer[], $11::text[]
    ) AS i (interface, topic, dedup_key, key, version, body, digest, overtakes, headers, items, problem)
), kept AS (
    INSERT INTO message (id, interface, topic, dedup_key, headers, body) OVERRIDING SYSTEM VALUE
    SELECT message_id, interface, topic, dedup_key, coalesce(headers, ''), body FROM incoming
    ON CONFLICT (interface, dedup_key) DO NOTHING
    RETURNING id
), opened AS (
    INSERT INTO document (id, message_id, interface, topic, key, version, digest, overtakes, items, note)
    OVERRIDING SYSTEM VALUE
    SELECT id, message_id, interface, topic, key, version, digest, overtakes, coalesce(items, 1), coalesce(problem, '')
    FROM incoming WHERE message_id IN (SELECT id FROM kept)
    RETURNING id
)
SELECT (SELECT array_agg(id ORDER BY id) FROM incoming) AS drawn, (SELECT array_agg(id) FROM opened) AS opened

-- name: count_duplicates
-- Counts deliveries of messages that were known, or came twice within one batch.
INSERT INTO duplicate (interface, dedup_key) SELECT * FROM unnest($1::text[], $2::text[])

-- name: known_messages
-- Those of these deduplication keys that an interface has taken in.
SELECT dedup_key FROM message WHERE interface = $1 AND dedup_key = ANY($2::text[])

-- name: count_rejections
-- Counts authenticated messages that were refused at the door.
INSERT INTO rejection (interface, rule, reason, size) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])

-- name: claim
-- Takes documents that are due, only the oldest of each key, and locks them until the transaction ends.
-- A full statement goes on past what waits for a person, and past what may be waiting for just that statement.
-- The subqueries with OFFSET 0 are asked per row from their index, whatever the planner knows of the tables' sizes.
WITH head AS MATERIALIZED (
    SELECT d.*
    FROM document d
    WHERE d.state IN ('received', 'retry') AND d.next_at <= now()
      AND d.id = (
          SELECT min(e.id) FROM document e
          WHERE e.key = d.key AND e.state IN ('received', 'retry', 'case')
            AND CASE e.state
                WHEN 'case' THEN e.step <> 'deliver' AND NOT d.overtakes
                WHEN 'retry' THEN e.overtakes OR NOT d.overtakes
                ELSE true
            END
      )
    ORDER BY d.next_at, d.id
    LIMIT $1
    FOR UPDATE OF d SKIP LOCKED
)
SELECT d.id, d.message_id, d.parent_id, d.interface, d.topic, d.kind, d.key, d.version, d.digest, d.step, d.items,
       d.attempts, d.received_at, d.note, d.overtakes,
       coalesce(v.body, m.body) AS body, coalesce(v.stage, 'source') AS stage, coalesce(v.number, 0) AS number,
       coalesce(v.made_by, '') AS made_by,
       EXISTS (
           SELECT FROM document e
           WHERE e.key = d.key AND e.id < d.id AND e.digest = d.digest AND e.interface = d.interface AND d.parent_id IS NULL
           OFFSET 0
       ) AS same_bytes
FROM head d
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT body, stage, number, made_by FROM document_version w
    WHERE (d.attempts > 0 OR d.parent_id IS NOT NULL) AND w.document_id = d.id
    ORDER BY number DESC LIMIT 1
) v ON true
ORDER BY d.id

-- name: record_decided
-- Writes what was decided of each document: its state, what it is, and how many obligations it left.
UPDATE document d
SET state = i.state, step = i.step, kind = i.kind, version = i.version, open_deliveries = i.open, made_by = i.made_by,
    note = i.note, key = i.key, next_at = now() + i.wait * interval '1 second', attempts = d.attempts + 1, decided_at = now(),
    settled_at = CASE WHEN i.state IN ('settled', 'duplicate', 'rejected') THEN now() END
FROM unnest(
    $1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::integer[], $7::text[], $8::text[], $9::float8[],
    $10::text[]
) AS i (id, state, step, kind, version, open, made_by, note, wait, key)
WHERE d.id = i.id

-- name: record_parts
-- Opens a document of its own for each part of a batch that was not accepted; the part is its source or canonical form.
WITH part AS (
    SELECT p.*, d.message_id, d.interface, d.topic, d.version, d.digest, d.key || '/' || p.ordinal AS key
    FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::bytea[])
        AS p (parent_id, ordinal, kind, stage, body)
    JOIN document d ON d.id = p.parent_id
), opened AS (
    INSERT INTO document (message_id, parent_id, interface, topic, kind, key, version, digest, state, step)
    SELECT message_id, parent_id, interface, topic, kind, key, version, digest, 'case',
           CASE stage WHEN 'source' THEN 'translate' ELSE 'decide' END
    FROM part
    ORDER BY parent_id, ordinal
    RETURNING id, parent_id, key
), versioned AS (
    INSERT INTO document_version (document_id, number, stage, body)
    SELECT o.id, 1, p.stage, p.body FROM opened o JOIN part p USING (parent_id, key)
)
SELECT o.id, p.parent_id, p.ordinal FROM opened o JOIN part p USING (parent_id, key)

-- name: lock_documents
-- Locks documents in the one order every writer uses, so that two of them never wait for each other.
SELECT id FROM document WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE

-- name: settle_documents
-- Takes settled obligations off their documents; one with none left is settled, one with a stuck one is a case.
-- OFFSET 0: its deliveries are looked up by document, not found among all that are open. Unless worked out anew ($3), a
-- case stays one: what made it so may have been committed while this statement waited for the document's lock.
UPDATE document d
SET open_deliveries = d.open_deliveries - i.done,
    state = CASE
        WHEN d.open_deliveries - i.done = 0 THEN 'settled'
        WHEN EXISTS (
            SELECT FROM (SELECT state FROM delivery w WHERE w.document_id = d.id OFFSET 0) x WHERE x.state = 'case'
        ) THEN 'case'
        WHEN d.state = 'case' AND NOT $3 THEN 'case'
        ELSE 'delivering'
    END,
    step = CASE WHEN d.open_deliveries - i.done = 0 THEN 'done' ELSE 'deliver' END,
    settled_at = CASE WHEN d.open_deliveries - i.done = 0 THEN now() END
FROM unnest($1::bigint[], $2::integer[]) AS i (id, done)
WHERE d.id = i.id
RETURNING d.id, d.key, d.state

-- name: sync_interfaces
-- Makes the interface table say what the estate says.
INSERT INTO interface (name, system, direction, object, owner, tier, settle_within, version, state)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::interval[], $8::integer[], $9::text[]
)
ON CONFLICT (name) DO UPDATE
SET system = excluded.system, direction = excluded.direction, object = excluded.object, owner = excluded.owner,
    tier = excluded.tier, settle_within = excluded.settle_within, version = excluded.version, state = excluded.state,
    changed_at = now()

-- name: ensure_cursor
-- Makes a relay's cursor at the beginning of the outbox.
INSERT INTO outbox_cursor (name, xid, id) VALUES ($1, '0'::xid8, 0) ON CONFLICT DO NOTHING

-- name: lock_cursor
-- Whether a relay's cursor is ours until the transaction ends. An advisory lock, because one on the row would give the
-- transaction a number, and nobody who follows the outbox gets past a transaction that is still running.
SELECT pg_try_advisory_xact_lock(hashtextextended('outbox_cursor/' || $1, 0))

-- name: cursor
-- Where a relay is in the outbox; read after it was locked.
SELECT xid, id FROM outbox_cursor WHERE name = $1

-- name: next_events
-- The next events whose place in commit order is final, at most $3 of them, and of about $4 bytes together.
SELECT id, xid, at, type, key, document_id, data, many FROM (
    SELECT *, sum(octet_length(data)) OVER (ORDER BY xid, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT * FROM event
        WHERE (xid, id) > ($1::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, id LIMIT $3
    ) page
) e
WHERE coalesce(before, 0) < $4 ORDER BY xid, id

-- name: final_until
-- Every event committed before this moment comes at or before a place in commit order: those behind it that are
-- committed all the same (an older transaction still runs) began at `at` and were committed later. In a transaction in
-- which the events up to that place were read: now() is its beginning.
SELECT least(now(), (SELECT min(at) FROM event WHERE (xid, id) > ($1::bigint::text::xid8, $2::bigint)))

-- name: move_cursor
-- Moves a relay's cursor behind what it published.
UPDATE outbox_cursor SET xid = $2, id = $3, moved_at = now() WHERE name = $1

-- name: lock_uses_seen
-- How far interface_use has looked, held against another who looks; no row when somebody does, or did within $1 seconds.
SELECT document_id, earlier_document_id, duplicate_id, earlier_duplicate_id FROM interface_use_seen
WHERE noted_at <= now() - make_interval(secs => $1)
FOR UPDATE SKIP LOCKED

-- name: note_uses
-- Takes note when messages came last, from documents above $1 and duplicates above $2.
INSERT INTO interface_use AS u (interface, last_message)
SELECT interface, max(received_at)
FROM (
    SELECT interface, received_at FROM document WHERE id > $1 AND parent_id IS NULL
    UNION ALL SELECT interface, received_at FROM duplicate WHERE id > $2
) AS every
GROUP BY interface
ON CONFLICT (interface) DO UPDATE SET last_message = excluded.last_message
WHERE u.last_message < excluded.last_message

-- name: newest_numbers
-- The newest document and duplicate there are.
SELECT coalesce((SELECT max(id) FROM document), 0) AS document_id,
       coalesce((SELECT max(id) FROM duplicate), 0) AS duplicate_id

-- name: set_uses_seen
-- What was seen up to now is next time's earlier.
UPDATE interface_use_seen
SET earlier_document_id = document_id, document_id = $1, earlier_duplicate_id = duplicate_id, duplicate_id = $2,
    noted_at = now()
