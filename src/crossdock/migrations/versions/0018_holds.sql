-- Holds: all that is wrong with a document is kept with its case, and what a person has let through with the order.

ALTER TABLE triage_case
    ADD COLUMN hold text NOT NULL DEFAULT '',
    ADD COLUMN failures bytea NOT NULL DEFAULT '',
    ADD COLUMN looked_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN triage_case.hold IS 'kinds of hold ("credit,fraud") when nothing else is wrong; empty = it must be mended';
COMMENT ON COLUMN triage_case.failures IS 'JSON: each failure with rule, field, value, reason, fix, hold and mark; empty = the one of the row';
COMMENT ON COLUMN triage_case.looked_at IS 'when a held order was last looked at again by itself';
CREATE INDEX triage_case_held ON triage_case (looked_at, id) WHERE state = 'open' AND hold <> '';

-- What persons let through of an order. A later version is held anew by what has no mark here.
CREATE TABLE order_release (
    order_key text NOT NULL,
    mark text NOT NULL,
    rule text NOT NULL,
    field text NOT NULL,
    value text NOT NULL,
    by text NOT NULL,
    origin text NOT NULL,
    reason text NOT NULL,
    case_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_key, mark)
);
COMMENT ON COLUMN order_release.mark IS 'digest of rule, field and value, and of whose account and which line they were found';
