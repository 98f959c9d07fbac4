-- clock_ms: postgresql
SELECT CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS bigint);

-- clock_ms: mysql
SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000 AS SIGNED);

-- clock_ms: sqlite
SELECT (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) / 1000;

-- closed_windows: postgresql
SELECT id, unique_slot FROM lodger_run WHERE unique_slot IS NOT NULL AND unique_until <= statement_timestamp() AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL))
ORDER BY unique_slot LIMIT :limit;

-- closed_windows: mysql
SELECT id, unique_slot FROM lodger_run WHERE unique_slot IS NOT NULL AND unique_until <= UTC_TIMESTAMP(6) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL))
ORDER BY unique_slot LIMIT :limit;

-- closed_windows: sqlite
SELECT id, unique_slot FROM lodger_run WHERE unique_slot IS NOT NULL AND unique_until <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL))
ORDER BY unique_slot LIMIT :limit;

-- delete_attempts: postgresql, mysql, sqlite
DELETE FROM lodger_attempt WHERE run_id = :id AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.id = :id);

-- delete_dead_workers: postgresql
DELETE FROM lodger_worker WHERE dead_at < (statement_timestamp() + CAST(:age_us AS bigint) * interval '1 microsecond')
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = lodger_worker.id);

-- delete_dead_workers: mysql
DELETE FROM lodger_worker WHERE dead_at < (UTC_TIMESTAMP(6) + INTERVAL :age_us MICROSECOND)
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = lodger_worker.id);

-- delete_dead_workers: sqlite
DELETE FROM lodger_worker WHERE dead_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :age_us)
  AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.owner = lodger_worker.id);

-- delete_log: postgresql, mysql, sqlite
DELETE FROM lodger_log WHERE run_id = :id AND NOT EXISTS (SELECT 1 FROM lodger_run AS r WHERE r.id = :id);

-- delete_run: postgresql, mysql, sqlite
DELETE FROM lodger_run WHERE id = :id AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- lock_scheduled: mysql
SELECT id, queue FROM lodger_run WHERE scheduled_at <= UTC_TIMESTAMP(6)
ORDER BY scheduled_at LIMIT :limit FOR UPDATE SKIP LOCKED;

-- promote_due: postgresql
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, queued_at = statement_timestamp(), scheduled_at = NULL
WHERE id = ANY(ARRAY(SELECT id FROM lodger_run WHERE scheduled_at <= statement_timestamp() ORDER BY scheduled_at LIMIT :limit FOR UPDATE SKIP LOCKED)) AND status = 'SCHEDULED'
RETURNING queue;

-- promote_due: sqlite
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, queued_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), scheduled_at = NULL
WHERE id IN (SELECT id FROM lodger_run WHERE scheduled_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ORDER BY scheduled_at LIMIT :limit ) AND status = 'SCHEDULED'
RETURNING queue;

-- promote_one: mysql
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, queued_at = UTC_TIMESTAMP(6), scheduled_at = NULL WHERE id = :id AND status = 'SCHEDULED';

-- walk: postgresql
SELECT id, CASE
    WHEN status = 'SUCCEEDED' AND completed_at < (statement_timestamp() + CAST(:succeeded_us AS bigint) * interval '1 microsecond') THEN 1
    WHEN status IN ('FAILED', 'CANCELLED') AND completed_at < (statement_timestamp() + CAST(:failed_us AS bigint) * interval '1 microsecond') THEN 1
    ELSE 0 END AS may_go
FROM lodger_run WHERE id > :after ORDER BY id LIMIT :limit;

-- walk: mysql
SELECT id, CASE
    WHEN status = 'SUCCEEDED' AND completed_at < (UTC_TIMESTAMP(6) + INTERVAL :succeeded_us MICROSECOND) THEN 1
    WHEN status IN ('FAILED', 'CANCELLED') AND completed_at < (UTC_TIMESTAMP(6) + INTERVAL :failed_us MICROSECOND) THEN 1
    ELSE 0 END AS may_go
FROM lodger_run WHERE id > :after ORDER BY id LIMIT :limit;

-- walk: sqlite
SELECT id, CASE
    WHEN status = 'SUCCEEDED' AND completed_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :succeeded_us) THEN 1
    WHEN status IN ('FAILED', 'CANCELLED') AND completed_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :failed_us) THEN 1
    ELSE 0 END AS may_go
FROM lodger_run WHERE id > :after ORDER BY id LIMIT :limit;
