-- When a message came last by each interface, without reading the time of every message.

CREATE TABLE interface_use (
    interface text PRIMARY KEY,
    last_message timestamptz NOT NULL
);
COMMENT ON TABLE interface_use IS 'when a message came last, one that came again too, as far as interface_use_seen says';

-- How far documents and duplicates were looked at, now and the time before: numbers are drawn before a commit, so that
-- each is looked at twice, a minute apart.
CREATE TABLE interface_use_seen (
    document_id bigint NOT NULL,
    earlier_document_id bigint NOT NULL,
    duplicate_id bigint NOT NULL,
    earlier_duplicate_id bigint NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT '-infinity'
);

INSERT INTO interface_use (interface, last_message)
SELECT interface, max(received_at)
FROM (
    SELECT interface, received_at FROM document WHERE parent_id IS NULL
    UNION ALL SELECT interface, received_at FROM duplicate
) AS every
GROUP BY interface;
INSERT INTO interface_use_seen (document_id, earlier_document_id, duplicate_id, earlier_duplicate_id)
SELECT d.id, d.id, c.id, c.id
FROM (SELECT coalesce(max(id), 0) AS id FROM document) d, (SELECT coalesce(max(id), 0) AS id FROM duplicate) c;

CREATE INDEX rejection_retired ON rejection (interface, received_at) WHERE rule = 'retired';
