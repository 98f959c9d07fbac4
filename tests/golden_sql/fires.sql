-- delete_fire: postgresql, mysql, sqlite
DELETE FROM lodger_fire WHERE schedule_id = :id AND instant = :instant;

-- insert_fire: postgresql
INSERT INTO lodger_fire (schedule_id, instant, outcome, run_id, scheduler_id, fired_at)
VALUES (:id, :instant, :outcome, :run, :scheduler, statement_timestamp());

-- insert_fire: mysql
INSERT INTO lodger_fire (schedule_id, instant, outcome, run_id, scheduler_id, fired_at)
VALUES (:id, :instant, :outcome, :run, :scheduler, UTC_TIMESTAMP(6));

-- insert_fire: sqlite
INSERT INTO lodger_fire (schedule_id, instant, outcome, run_id, scheduler_id, fired_at)
VALUES (:id, :instant, :outcome, :run, :scheduler, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000));

-- look_ahead: postgresql
SELECT statement_timestamp(), (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at IS NOT NULL),
  (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at > statement_timestamp());

-- look_ahead: mysql
SELECT UTC_TIMESTAMP(6), (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at IS NOT NULL),
  (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at > UTC_TIMESTAMP(6));

-- look_ahead: sqlite
SELECT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at IS NOT NULL),
  (SELECT MIN(due_at) FROM lodger_schedule WHERE due_at > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000));

-- note_last: postgresql, mysql, sqlite
UPDATE lodger_schedule SET last_at = CASE WHEN :fired > 0 THEN :last_at ELSE last_at END,
  last_run_id = COALESCE(:run, last_run_id), fired = fired + :fired, skipped = skipped + :skipped
WHERE id = :id;

-- postpone_schedule: postgresql
UPDATE lodger_schedule SET due_at = (statement_timestamp() + CAST(:wait_us AS bigint) * interval '1 microsecond'), error = :error, version = version + 1
WHERE id = :id AND version = :version;

-- postpone_schedule: mysql
UPDATE lodger_schedule SET due_at = (UTC_TIMESTAMP(6) + INTERVAL :wait_us MICROSECOND), error = :error, version = version + 1
WHERE id = :id AND version = :version;

-- postpone_schedule: sqlite
UPDATE lodger_schedule SET due_at = ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :wait_us), error = :error, version = version + 1
WHERE id = :id AND version = :version;

-- select_active: postgresql, mysql, sqlite
SELECT 1 FROM lodger_run WHERE id = :id AND status NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- select_due: postgresql
SELECT id, timetable, job, queue, template, overlap, misfire, jitter_us, version, next_at, last_run_id,
  statement_timestamp() AS now_at
FROM lodger_schedule AS s WHERE due_at <= statement_timestamp()
  AND (origin = 'stored' OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond')) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond')))
ORDER BY due_at, id LIMIT :limit;

-- select_due: mysql
SELECT id, timetable, job, queue, template, overlap, misfire, jitter_us, version, next_at, last_run_id,
  UTC_TIMESTAMP(6) AS now_at
FROM lodger_schedule AS s WHERE due_at <= UTC_TIMESTAMP(6)
  AND (origin = 'stored' OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND)) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND)))
ORDER BY due_at, id LIMIT :limit;

-- select_due: sqlite
SELECT id, timetable, job, queue, template, overlap, misfire, jitter_us, version, next_at, last_run_id,
  (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) AS now_at
FROM lodger_schedule AS s WHERE due_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)
  AND (origin = 'stored' OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us)) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us)))
ORDER BY due_at, id LIMIT :limit;

-- select_fired(2): postgresql
SELECT schedule_id, instant FROM lodger_fire WHERE (schedule_id = :id_0 AND instant >= CAST(:first_0 AS timestamptz)) OR (schedule_id = :id_1 AND instant >= CAST(:first_1 AS timestamptz));

-- select_fired(2): mysql, sqlite
SELECT schedule_id, instant FROM lodger_fire WHERE (schedule_id = :id_0 AND instant >= :first_0) OR (schedule_id = :id_1 AND instant >= :first_1);

-- select_old_fires: postgresql
SELECT schedule_id, instant FROM lodger_fire WHERE fired_at < (statement_timestamp() + CAST(:age_us AS bigint) * interval '1 microsecond') LIMIT :limit;

-- select_old_fires: mysql
SELECT schedule_id, instant FROM lodger_fire WHERE fired_at < (UTC_TIMESTAMP(6) + INTERVAL :age_us MICROSECOND) LIMIT :limit;

-- select_old_fires: sqlite
SELECT schedule_id, instant FROM lodger_fire WHERE fired_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :age_us) LIMIT :limit;

-- take_schedule: postgresql
UPDATE lodger_schedule SET next_at = :next_at, due_at = :next_at, version = version + 1, error = NULL,
  missed_at = CASE WHEN :missed = 1 THEN statement_timestamp() ELSE missed_at END
WHERE id = :id AND version = :version;

-- take_schedule: mysql
UPDATE lodger_schedule SET next_at = :next_at, due_at = :next_at, version = version + 1, error = NULL,
  missed_at = CASE WHEN :missed = 1 THEN UTC_TIMESTAMP(6) ELSE missed_at END
WHERE id = :id AND version = :version;

-- take_schedule: sqlite
UPDATE lodger_schedule SET next_at = :next_at, due_at = :next_at, version = version + 1, error = NULL,
  missed_at = CASE WHEN :missed = 1 THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE missed_at END
WHERE id = :id AND version = :version;
