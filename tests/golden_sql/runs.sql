-- ask_to_stop: postgresql, mysql, sqlite
UPDATE lodger_run SET cancel_requested = 1 WHERE id = :id AND status = 'RUNNING';

-- cancel_by_force: postgresql
UPDATE lodger_run SET status = 'CANCELLED', owner = NULL, fence = fence + 1, completed_at = statement_timestamp(),
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > statement_timestamp() THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- cancel_by_force: mysql
UPDATE lodger_run SET status = 'CANCELLED', owner = NULL, fence = fence + 1, completed_at = UTC_TIMESTAMP(6),
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- cancel_by_force: sqlite
UPDATE lodger_run SET status = 'CANCELLED', owner = NULL, fence = fence + 1, completed_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- cancel_waiting: postgresql
UPDATE lodger_run SET status = 'CANCELLED', ready_queue = NULL, scheduled_at = NULL, completed_at = statement_timestamp(),
  unique_slot = CASE WHEN unique_until > statement_timestamp() THEN unique_slot END
WHERE id = :id AND status IN ('SCHEDULED', 'BLOCKED', 'QUEUED');

-- cancel_waiting: mysql
UPDATE lodger_run SET status = 'CANCELLED', ready_queue = NULL, scheduled_at = NULL, completed_at = UTC_TIMESTAMP(6),
  unique_slot = CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END
WHERE id = :id AND status IN ('SCHEDULED', 'BLOCKED', 'QUEUED');

-- cancel_waiting: sqlite
UPDATE lodger_run SET status = 'CANCELLED', ready_queue = NULL, scheduled_at = NULL, completed_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  unique_slot = CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END
WHERE id = :id AND status IN ('SCHEDULED', 'BLOCKED', 'QUEUED');

-- complete_run: postgresql
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = statement_timestamp(), result = :result, error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > statement_timestamp() THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- complete_run: mysql
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = UTC_TIMESTAMP(6), result = :result, error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- complete_run: sqlite
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), result = :result, error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- last_traceback: postgresql, mysql, sqlite
SELECT traceback FROM lodger_attempt WHERE run_id = :id AND error_message IS NOT NULL ORDER BY fence DESC LIMIT 1;

-- lease_of: postgresql, mysql
SELECT fence, attempt FROM lodger_run WHERE id = :id AND status = 'RUNNING' FOR UPDATE;

-- lease_of: sqlite
SELECT fence, attempt FROM lodger_run WHERE id = :id AND status = 'RUNNING';

-- queue_of: postgresql, mysql, sqlite
SELECT queue FROM lodger_run WHERE id = :id;

-- retry_ended: postgresql
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, fence = fence + 1, queued_at = statement_timestamp(), run_at = statement_timestamp(),
  completed_at = NULL, expires_at = NULL, error = NULL, result = NULL, progress = NULL, cancel_requested = 0,
  crashes = 0, interruptions = 0, lost = 0,
  max_attempts = CASE WHEN max_attempts <= attempt THEN attempt + 1 ELSE max_attempts END
WHERE id = :id AND fence = :fence AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- retry_ended: mysql
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, fence = fence + 1, queued_at = UTC_TIMESTAMP(6), run_at = UTC_TIMESTAMP(6),
  completed_at = NULL, expires_at = NULL, error = NULL, result = NULL, progress = NULL, cancel_requested = 0,
  crashes = 0, interruptions = 0, lost = 0,
  max_attempts = CASE WHEN max_attempts <= attempt THEN attempt + 1 ELSE max_attempts END
WHERE id = :id AND fence = :fence AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- retry_ended: sqlite
UPDATE lodger_run SET status = 'QUEUED', ready_queue = queue, fence = fence + 1, queued_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), run_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  completed_at = NULL, expires_at = NULL, error = NULL, result = NULL, progress = NULL, cancel_requested = 0,
  crashes = 0, interruptions = 0, lost = 0,
  max_attempts = CASE WHEN max_attempts <= attempt THEN attempt + 1 ELSE max_attempts END
WHERE id = :id AND fence = :fence AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED');

-- select_attempts: postgresql, mysql, sqlite
SELECT run_id, fence, attempt, outcome, worker_id, started_at, ended_at, error_type, error_message, traceback
FROM lodger_attempt WHERE run_id = :id ORDER BY fence;

-- select_result: postgresql, mysql, sqlite
SELECT status, result, error FROM lodger_run WHERE id = :id;

-- select_run: postgresql, mysql, sqlite
SELECT id, job, queue, status, claim_rank, attempt, max_attempts, fence, crashes, interruptions, lost, args, meta, tags, result, error, progress, checkpoint, cancel_requested, worker_id, run_at, queued_at, started_at, completed_at, expires_at FROM lodger_run WHERE id = :id;

-- status_of: postgresql, sqlite
SELECT status, cancel_requested, fence FROM lodger_run WHERE id = :id;

-- status_of: mysql
SELECT status, cancel_requested, fence FROM lodger_run WHERE id = :id LOCK IN SHARE MODE;
