-- delete_declarations: postgresql, mysql, sqlite
DELETE FROM lodger_declaration WHERE schedule_id = :id;

-- delete_schedule: postgresql, mysql, sqlite
DELETE FROM lodger_schedule WHERE id = :id AND (origin = 'stored' OR undeclared_at IS NOT NULL);

-- insert_schedule: postgresql
INSERT INTO lodger_schedule (id, origin, timetable, job, queue, template, overlap, misfire, jitter_us, digest,
  declared_by, next_at, due_at, created_at)
VALUES (:id, :origin, :timetable, :job, :queue, :template, :overlap, :misfire, :jitter_us, :digest,
  :declared_by, :next_at, :next_at, statement_timestamp())
ON CONFLICT DO NOTHING;

-- insert_schedule: mysql
INSERT INTO lodger_schedule (id, origin, timetable, job, queue, template, overlap, misfire, jitter_us, digest,
  declared_by, next_at, due_at, created_at)
VALUES (:id, :origin, :timetable, :job, :queue, :template, :overlap, :misfire, :jitter_us, :digest,
  :declared_by, :next_at, :next_at, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE id = lodger_schedule.id;

-- insert_schedule: sqlite
INSERT INTO lodger_schedule (id, origin, timetable, job, queue, template, overlap, misfire, jitter_us, digest,
  declared_by, next_at, due_at, created_at)
VALUES (:id, :origin, :timetable, :job, :queue, :template, :overlap, :misfire, :jitter_us, :digest,
  :declared_by, :next_at, :next_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))
ON CONFLICT DO NOTHING;

-- list_schedules: postgresql, mysql, sqlite
SELECT id, origin, timetable, job, queue, overlap, misfire, jitter_us, next_at, paused_at, undeclared_at, missed_at, last_at, last_run_id, fired, skipped, error, created_at FROM lodger_schedule ORDER BY id;

-- note_last_run: postgresql, mysql, sqlite
UPDATE lodger_schedule SET last_run_id = :run WHERE id = :id;

-- pause_schedule: postgresql
UPDATE lodger_schedule SET paused_at = statement_timestamp(), due_at = NULL, version = version + 1
WHERE id = :id AND paused_at IS NULL;

-- pause_schedule: mysql
UPDATE lodger_schedule SET paused_at = UTC_TIMESTAMP(6), due_at = NULL, version = version + 1
WHERE id = :id AND paused_at IS NULL;

-- pause_schedule: sqlite
UPDATE lodger_schedule SET paused_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), due_at = NULL, version = version + 1
WHERE id = :id AND paused_at IS NULL;

-- read_clock: postgresql
SELECT statement_timestamp();

-- read_clock: mysql
SELECT UTC_TIMESTAMP(6);

-- read_clock: sqlite
SELECT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000);

-- resume_schedule: postgresql
UPDATE lodger_schedule SET paused_at = NULL, next_at = :next_at, version = version + 1,
  due_at = CASE WHEN undeclared_at IS NULL THEN CAST(:next_at AS timestamptz) END
WHERE id = :id AND version = :version;

-- resume_schedule: mysql, sqlite
UPDATE lodger_schedule SET paused_at = NULL, next_at = :next_at, version = version + 1,
  due_at = CASE WHEN undeclared_at IS NULL THEN :next_at END
WHERE id = :id AND version = :version;

-- select_head: postgresql
SELECT origin, version, digest, timetable, declared_by, next_at, paused_at, undeclared_at, statement_timestamp()
FROM lodger_schedule WHERE id = :id;

-- select_head: mysql
SELECT origin, version, digest, timetable, declared_by, next_at, paused_at, undeclared_at, UTC_TIMESTAMP(6)
FROM lodger_schedule WHERE id = :id;

-- select_head: sqlite
SELECT origin, version, digest, timetable, declared_by, next_at, paused_at, undeclared_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)
FROM lodger_schedule WHERE id = :id;

-- select_schedule: postgresql, mysql, sqlite
SELECT id, origin, timetable, job, queue, overlap, misfire, jitter_us, next_at, paused_at, undeclared_at, missed_at, last_at, last_run_id, fired, skipped, error, created_at FROM lodger_schedule WHERE id = :id;

-- select_template: postgresql
SELECT job, queue, template, statement_timestamp() FROM lodger_schedule WHERE id = :id;

-- select_template: mysql
SELECT job, queue, template, UTC_TIMESTAMP(6) FROM lodger_schedule WHERE id = :id;

-- select_template: sqlite
SELECT job, queue, template, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) FROM lodger_schedule WHERE id = :id;

-- update_schedule: postgresql
UPDATE lodger_schedule SET timetable = :timetable, job = :job, queue = :queue, template = :template, overlap = :overlap,
  misfire = :misfire, jitter_us = :jitter_us, digest = :digest, declared_by = :declared_by, version = version + 1,
  undeclared_at = NULL, error = NULL, next_at = :next_at,
  due_at = CASE WHEN paused_at IS NULL THEN CAST(:next_at AS timestamptz) END
WHERE id = :id AND version = :version;

-- update_schedule: mysql, sqlite
UPDATE lodger_schedule SET timetable = :timetable, job = :job, queue = :queue, template = :template, overlap = :overlap,
  misfire = :misfire, jitter_us = :jitter_us, digest = :digest, declared_by = :declared_by, version = version + 1,
  undeclared_at = NULL, error = NULL, next_at = :next_at,
  due_at = CASE WHEN paused_at IS NULL THEN :next_at END
WHERE id = :id AND version = :version;
