-- bury_silent: postgresql
UPDATE lodger_worker SET dead_at = statement_timestamp() WHERE id = :id AND dead_at IS NULL AND beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond';

-- bury_silent: mysql
UPDATE lodger_worker SET dead_at = UTC_TIMESTAMP(6) WHERE id = :id AND dead_at IS NULL AND beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND;

-- bury_silent: sqlite
UPDATE lodger_worker SET dead_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) WHERE id = :id AND dead_at IS NULL AND beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us;

-- engines_of_worker: postgresql, mysql, sqlite
SELECT DISTINCT engine FROM lodger_run WHERE owner = :owner;

-- free_run: postgresql
UPDATE lodger_run SET status = :status, owner = NULL, fence = fence + 1,
  ready_queue = CASE WHEN :waits = 1 THEN queue END,
  queued_at = CASE WHEN :waits = 1 THEN statement_timestamp() ELSE queued_at END,
  completed_at = CASE WHEN :waits = 1 THEN NULL ELSE statement_timestamp() END,
  unique_slot = CASE WHEN :waits = 1 THEN unique_slot ELSE CASE WHEN unique_until > statement_timestamp() THEN unique_slot END END,
  attempt = attempt - :refund, crashes = crashes + :crashed, lost = lost + :lost,
  interruptions = interruptions + :interrupted,
  suspect = CASE WHEN :suspect = 1 THEN 1 ELSE suspect END,
  cancel_requested = 0, error = :error
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- free_run: mysql
UPDATE lodger_run SET status = :status, owner = NULL, fence = fence + 1,
  ready_queue = CASE WHEN :waits = 1 THEN queue END,
  queued_at = CASE WHEN :waits = 1 THEN UTC_TIMESTAMP(6) ELSE queued_at END,
  completed_at = CASE WHEN :waits = 1 THEN NULL ELSE UTC_TIMESTAMP(6) END,
  unique_slot = CASE WHEN :waits = 1 THEN unique_slot ELSE CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END END,
  attempt = attempt - :refund, crashes = crashes + :crashed, lost = lost + :lost,
  interruptions = interruptions + :interrupted,
  suspect = CASE WHEN :suspect = 1 THEN 1 ELSE suspect END,
  cancel_requested = 0, error = :error
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- free_run: sqlite
UPDATE lodger_run SET status = :status, owner = NULL, fence = fence + 1,
  ready_queue = CASE WHEN :waits = 1 THEN queue END,
  queued_at = CASE WHEN :waits = 1 THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE queued_at END,
  completed_at = CASE WHEN :waits = 1 THEN NULL ELSE (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) END,
  unique_slot = CASE WHEN :waits = 1 THEN unique_slot ELSE CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END END,
  attempt = attempt - :refund, crashes = crashes + :crashed, lost = lost + :lost,
  interruptions = interruptions + :interrupted,
  suspect = CASE WHEN :suspect = 1 THEN 1 ELSE suspect END,
  cancel_requested = 0, error = :error
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- lock_silent: postgresql
SELECT id FROM lodger_worker WHERE id = :id AND dead_at IS NULL AND beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' FOR UPDATE SKIP LOCKED;

-- lock_silent: mysql
SELECT id FROM lodger_worker WHERE id = :id AND dead_at IS NULL AND beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND FOR UPDATE SKIP LOCKED;

-- lock_silent: sqlite
SELECT id FROM lodger_worker WHERE id = :id AND dead_at IS NULL AND beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us;

-- ownerless: postgresql, mysql, sqlite
SELECT DISTINCT r.owner FROM lodger_run AS r WHERE r.owner IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM lodger_worker AS w WHERE w.id = r.owner AND w.dead_at IS NULL);

-- runs_of_engine: postgresql, mysql
SELECT id, job, fence, attempt, max_attempts, on_crash, crashes, lost, interruptions, cancel_requested FROM lodger_run
WHERE owner = :owner AND engine = :engine ORDER BY id FOR UPDATE SKIP LOCKED;

-- runs_of_engine: sqlite
SELECT id, job, fence, attempt, max_attempts, on_crash, crashes, lost, interruptions, cancel_requested FROM lodger_run
WHERE owner = :owner AND engine = :engine ORDER BY id;

-- runs_of_worker: postgresql, mysql
SELECT id, job, fence, attempt, lost, cancel_requested FROM lodger_run WHERE owner = :owner
ORDER BY id FOR UPDATE SKIP LOCKED;

-- runs_of_worker: sqlite
SELECT id, job, fence, attempt, lost, cancel_requested FROM lodger_run WHERE owner = :owner
ORDER BY id;

-- silent_workers: postgresql
SELECT id FROM lodger_worker WHERE dead_at IS NULL AND beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond';

-- silent_workers: mysql
SELECT id FROM lodger_worker WHERE dead_at IS NULL AND beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND;

-- silent_workers: sqlite
SELECT id FROM lodger_worker WHERE dead_at IS NULL AND beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us;

-- tell_freed: postgresql
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, statement_timestamp(), :error_type, :error_message
FROM lodger_run AS r WHERE r.id = :id
ON CONFLICT DO NOTHING;

-- tell_freed: mysql
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, UTC_TIMESTAMP(6), :error_type, :error_message
FROM lodger_run AS r WHERE r.id = :id
ON DUPLICATE KEY UPDATE ended_at = lodger_attempt.ended_at;

-- tell_freed: sqlite
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), :error_type, :error_message
FROM lodger_run AS r WHERE r.id = :id
ON CONFLICT DO NOTHING;
