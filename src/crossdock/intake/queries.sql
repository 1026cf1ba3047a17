-- name: sync_polls
-- Makes the table have the topics that are asked about now; one that was there before goes on from where it was.
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS a (interface, topic, since)
), gone AS (
    UPDATE poll p SET active = false
    WHERE p.active AND NOT EXISTS (SELECT FROM asked a WHERE a.interface = p.interface AND a.topic = p.topic)
)
INSERT INTO poll (interface, topic, reached)
SELECT interface, topic, coalesce(since, now()) FROM asked
ON CONFLICT (interface, topic) DO UPDATE SET active = true WHERE NOT poll.active

-- name: take_turn
-- Takes a topic that is due and that nobody else is reading, for at most $3 seconds: the number of the turn, how far it
-- was read and the moment now. No row when it is not due.
UPDATE poll SET turn = turn + 1, leased_until = now() + make_interval(secs => $3)
WHERE interface = $1 AND topic = $2 AND due_at <= now() AND leased_until <= now()
RETURNING turn, reached, now() AS begun

-- name: due_in
-- Seconds until a topic may be read.
SELECT extract(epoch FROM greatest(due_at, leased_until) - clock_timestamp())::float8 FROM poll
WHERE interface = $1 AND topic = $2

-- name: advance
-- Moves a topic behind a page, and the turn on by $5 seconds; no row when the turn is over.
UPDATE poll SET reached = greatest(reached, $4), leased_until = now() + make_interval(secs => $5)
WHERE interface = $1 AND topic = $2 AND turn = $3
RETURNING turn

-- name: end_turn
-- Ends a turn in which everything was read that had changed before it began.
UPDATE poll SET leased_until = now(), due_at = now() + make_interval(secs => $4), asked_at = $5, failures = 0, trouble = ''
WHERE interface = $1 AND topic = $2 AND turn = $3

-- name: break_off
-- Gives a turn back before everything was read, because this scheduler stops.
UPDATE poll SET leased_until = now() WHERE interface = $1 AND topic = $2 AND turn = $3

-- name: failures
-- How often in a row asking about a topic failed.
SELECT failures FROM poll WHERE interface = $1 AND topic = $2

-- name: fail_turn
-- Ends a turn that failed; asked again in $4 seconds.
UPDATE poll SET leased_until = now(), due_at = now() + make_interval(secs => $4), failures = failures + 1, trouble = $5
WHERE interface = $1 AND topic = $2 AND turn = $3
