-- beat_worker: postgresql
UPDATE lodger_worker SET beat_at = statement_timestamp(), jobs = :jobs, engines = :engines,
  last_claim_at = CASE WHEN :claimed = 1 THEN statement_timestamp() ELSE last_claim_at END,
  stopping_at = CASE WHEN :stopping = 1 THEN COALESCE(stopping_at, statement_timestamp()) END
WHERE id = :id AND dead_at IS NULL;

-- beat_worker: mysql
UPDATE lodger_worker SET beat_at = UTC_TIMESTAMP(6), jobs = :jobs, engines = :engines,
  last_claim_at = CASE WHEN :claimed = 1 THEN UTC_TIMESTAMP(6) ELSE last_claim_at END,
  stopping_at = CASE WHEN :stopping = 1 THEN COALESCE(stopping_at, UTC_TIMESTAMP(6)) END
WHERE id = :id AND dead_at IS NULL;

-- beat_worker: sqlite
UPDATE lodger_worker SET beat_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), jobs = :jobs, engines = :engines,
  last_claim_at = CASE WHEN :claimed = 1 THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE last_claim_at END,
  stopping_at = CASE WHEN :stopping = 1 THEN COALESCE(stopping_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)) END
WHERE id = :id AND dead_at IS NULL;

-- bury_worker: postgresql
UPDATE lodger_worker SET dead_at = statement_timestamp(), stopping_at = COALESCE(stopping_at, statement_timestamp())
WHERE id = :id AND dead_at IS NULL;

-- bury_worker: mysql
UPDATE lodger_worker SET dead_at = UTC_TIMESTAMP(6), stopping_at = COALESCE(stopping_at, UTC_TIMESTAMP(6))
WHERE id = :id AND dead_at IS NULL;

-- bury_worker: sqlite
UPDATE lodger_worker SET dead_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), stopping_at = COALESCE(stopping_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))
WHERE id = :id AND dead_at IS NULL;

-- bury_worker_of: postgresql
UPDATE lodger_worker SET dead_at = statement_timestamp(), stopping_at = COALESCE(stopping_at, statement_timestamp())
WHERE id = :id AND dead_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = :id AND r.engine <> :engine);

-- bury_worker_of: mysql
UPDATE lodger_worker SET dead_at = UTC_TIMESTAMP(6), stopping_at = COALESCE(stopping_at, UTC_TIMESTAMP(6))
WHERE id = :id AND dead_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = :id AND r.engine <> :engine);

-- bury_worker_of: sqlite
UPDATE lodger_worker SET dead_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), stopping_at = COALESCE(stopping_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))
WHERE id = :id AND dead_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = :id AND r.engine <> :engine);

-- insert_worker: postgresql
INSERT INTO lodger_worker (id, environment, app_release, placement, host, pid, queues, jobs, engines,
  dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :queues, '[]', '[]',
  :dead_after_us, statement_timestamp(), statement_timestamp());

-- insert_worker: mysql
INSERT INTO lodger_worker (id, environment, app_release, placement, host, pid, queues, jobs, engines,
  dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :queues, '[]', '[]',
  :dead_after_us, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- insert_worker: sqlite
INSERT INTO lodger_worker (id, environment, app_release, placement, host, pid, queues, jobs, engines,
  dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :queues, '[]', '[]',
  :dead_after_us, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000));

-- list_workers: postgresql
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, CASE WHEN dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;

-- list_workers: mysql
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, CASE WHEN dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;

-- list_workers: sqlite
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, CASE WHEN dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id;
