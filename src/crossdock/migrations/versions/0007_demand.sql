-- Days whose demand was told to planning, so that each is told once.
CREATE TABLE demand_day (
    day date PRIMARY KEY,
    told_at timestamptz NOT NULL DEFAULT now()
);
