-- Topics of systems that are asked what changed: how far each was read, and when it is asked again.
CREATE TABLE poll (
    interface text NOT NULL,
    topic text NOT NULL,
    reached timestamptz NOT NULL,
    turn bigint NOT NULL DEFAULT 0,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    due_at timestamptz NOT NULL DEFAULT now(),
    asked_at timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,
    trouble text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (interface, topic)
) WITH (fillfactor = 50);
COMMENT ON COLUMN poll.reached IS 'what changed before this moment, less the overlap, was read; by the system''s clock';
COMMENT ON COLUMN poll.turn IS 'who asks: a scheduler whose turn is over writes nothing';
COMMENT ON COLUMN poll.asked_at IS 'the beginning of the last time that everything was read, first that of the topic';
COMMENT ON COLUMN poll.failures IS 'times in a row that asking failed';

-- An ERP's invoice names its order as the ERP does.
CREATE INDEX delivery_order_theirs ON delivery (system, their_reference)
    WHERE operation = 'sales_order' AND state = 'delivered' AND their_reference <> '';
