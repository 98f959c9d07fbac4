-- beat_scheduler: postgresql
UPDATE lodger_scheduler SET beat_at = statement_timestamp(), last_fire_at = CASE WHEN :fired = 1 THEN statement_timestamp() ELSE last_fire_at END
WHERE id = :id AND dead_at IS NULL;

-- beat_scheduler: mysql
UPDATE lodger_scheduler SET beat_at = UTC_TIMESTAMP(6), last_fire_at = CASE WHEN :fired = 1 THEN UTC_TIMESTAMP(6) ELSE last_fire_at END
WHERE id = :id AND dead_at IS NULL;

-- beat_scheduler: sqlite
UPDATE lodger_scheduler SET beat_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), last_fire_at = CASE WHEN :fired = 1 THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE last_fire_at END
WHERE id = :id AND dead_at IS NULL;

-- bury_scheduler: postgresql
UPDATE lodger_scheduler SET dead_at = statement_timestamp() WHERE id = :id AND dead_at IS NULL;

-- bury_scheduler: mysql
UPDATE lodger_scheduler SET dead_at = UTC_TIMESTAMP(6) WHERE id = :id AND dead_at IS NULL;

-- bury_scheduler: sqlite
UPDATE lodger_scheduler SET dead_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) WHERE id = :id AND dead_at IS NULL;

-- bury_silent_schedulers: postgresql
UPDATE lodger_scheduler SET dead_at = statement_timestamp() WHERE dead_at IS NULL AND beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond';

-- bury_silent_schedulers: mysql
UPDATE lodger_scheduler SET dead_at = UTC_TIMESTAMP(6) WHERE dead_at IS NULL AND beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND;

-- bury_silent_schedulers: sqlite
UPDATE lodger_scheduler SET dead_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) WHERE dead_at IS NULL AND beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us;

-- delete_dead_schedulers: postgresql
DELETE FROM lodger_scheduler WHERE dead_at < (statement_timestamp() + CAST(:age_us AS bigint) * interval '1 microsecond');

-- delete_dead_schedulers: mysql
DELETE FROM lodger_scheduler WHERE dead_at < (UTC_TIMESTAMP(6) + INTERVAL :age_us MICROSECOND);

-- delete_dead_schedulers: sqlite
DELETE FROM lodger_scheduler WHERE dead_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :age_us);

-- insert_scheduler: postgresql
INSERT INTO lodger_scheduler (id, environment, app_release, placement, host, pid, dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :dead_after_us, statement_timestamp(), statement_timestamp());

-- insert_scheduler: mysql
INSERT INTO lodger_scheduler (id, environment, app_release, placement, host, pid, dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :dead_after_us, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- insert_scheduler: sqlite
INSERT INTO lodger_scheduler (id, environment, app_release, placement, host, pid, dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :dead_after_us, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000));

-- list_schedulers: postgresql
SELECT id, environment, app_release, placement, host, pid, started_at, beat_at, last_fire_at, dead_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' THEN 1 ELSE 0 END AS is_live
FROM lodger_scheduler WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;

-- list_schedulers: mysql
SELECT id, environment, app_release, placement, host, pid, started_at, beat_at, last_fire_at, dead_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND THEN 1 ELSE 0 END AS is_live
FROM lodger_scheduler WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;

-- list_schedulers: sqlite
SELECT id, environment, app_release, placement, host, pid, started_at, beat_at, last_fire_at, dead_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us THEN 1 ELSE 0 END AS is_live
FROM lodger_scheduler WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;

-- overdue_schedules: postgresql
SELECT COUNT(*), CAST(EXTRACT(EPOCH FROM statement_timestamp() - MIN(due_at)) * 1000000 AS bigint),
  (SELECT COUNT(*) FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond')
FROM lodger_schedule WHERE due_at <= statement_timestamp();

-- overdue_schedules: mysql
SELECT COUNT(*), TIMESTAMPDIFF(MICROSECOND, MIN(due_at), UTC_TIMESTAMP(6)),
  (SELECT COUNT(*) FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND)
FROM lodger_schedule WHERE due_at <= UTC_TIMESTAMP(6);

-- overdue_schedules: sqlite
SELECT COUNT(*), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - MIN(due_at)),
  (SELECT COUNT(*) FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us)
FROM lodger_schedule WHERE due_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000);
