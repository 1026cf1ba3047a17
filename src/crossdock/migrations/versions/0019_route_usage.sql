-- Who calls what: requests by consumer, route and day.

CREATE TABLE route_usage (
    consumer text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (day, consumer, method, path)
);
COMMENT ON TABLE route_usage IS 'requests that were let in, of a UTC day, from all gateways; kept for 400 days';
COMMENT ON COLUMN route_usage.consumer IS '"local" where the estate has no consumers';
COMMENT ON COLUMN route_usage.path IS 'the template: /v1/orders/{id}';
