-- Demand planning: which version of each forecast stands, and what the demand of a day is counted from.

-- demand_forecast holds the periods; a forecast may have none.
CREATE TABLE forecast (
    forecast_id text PRIMARY KEY,
    source text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 0,
    document_id bigint,
    taken_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN forecast.document_id IS 'what brought the version that stands; null: none was taken yet';

CREATE INDEX sales_order_placed ON sales_order USING brin (placed_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX sales_order_changed ON sales_order USING brin (changed_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX shipment_shipped ON shipment USING brin (shipped_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX triage_case_short ON triage_case (opened_at) WHERE rule = 'order.stock';
