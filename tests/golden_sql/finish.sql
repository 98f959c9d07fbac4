-- accepted: postgresql, mysql, sqlite
SELECT status FROM lodger_run WHERE id = :id AND status <> 'RUNNING' AND fence = :fence;

-- finish: postgresql
UPDATE lodger_run AS r SET status = CASE WHEN r.cancel_requested = 0 OR j.status NOT IN ('QUEUED', 'SCHEDULED') THEN j.status ELSE 'CANCELLED' END,
  owner = NULL,
  ready_queue = CASE WHEN j.status = 'QUEUED' AND r.cancel_requested = 0 THEN r.queue END,
  scheduled_at = CASE WHEN j.status = 'SCHEDULED' AND r.cancel_requested = 0 THEN (statement_timestamp() + CAST(j.delay_us AS bigint) * interval '1 microsecond') END,
  queued_at = CASE WHEN j.status = 'QUEUED' THEN statement_timestamp() ELSE r.queued_at END,
  run_at = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN r.run_at ELSE (statement_timestamp() + CAST(j.delay_us AS bigint) * interval '1 microsecond') END,
  completed_at = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN statement_timestamp() END,
  fence = r.fence + CASE WHEN j.status = 'QUEUED' THEN 1 ELSE 0 END,
  attempt = r.attempt - j.refund,
  crashes = r.crashes + j.crashed,
  suspect = CASE WHEN j.crashed = 1 THEN 1 ELSE r.suspect END,
  interruptions = r.interruptions + j.interrupted,
  result = j.result,
  error = j.error,
  unique_slot = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN CASE WHEN r.unique_until > statement_timestamp() THEN r.unique_slot END ELSE r.unique_slot END,
  cancel_requested = 0
FROM json_to_recordset(CAST(:rows AS json)) AS j (id uuid, fence integer, status text, delay_us bigint, refund integer, crashed integer, interrupted integer, result text, error text)
WHERE r.id = j.id AND r.status = 'RUNNING' AND r.fence = j.fence;

-- finish: mysql
UPDATE JSON_TABLE(:rows, '$[*]' COLUMNS (id CHAR(32) PATH '$.id', fence INT PATH '$.fence', status VARCHAR(16) PATH '$.status', delay_us BIGINT PATH '$.delay_us', refund INT PATH '$.refund', crashed INT PATH '$.crashed', interrupted INT PATH '$.interrupted', result LONGTEXT PATH '$.result', error LONGTEXT PATH '$.error')) AS j
STRAIGHT_JOIN lodger_run AS r ON r.id = UNHEX(j.id)
SET r.status = CASE WHEN r.cancel_requested = 0 OR j.status NOT IN ('QUEUED', 'SCHEDULED') THEN j.status ELSE 'CANCELLED' END,
  r.owner = NULL,
  r.ready_queue = CASE WHEN j.status = 'QUEUED' AND r.cancel_requested = 0 THEN r.queue END,
  r.scheduled_at = CASE WHEN j.status = 'SCHEDULED' AND r.cancel_requested = 0 THEN (UTC_TIMESTAMP(6) + INTERVAL j.delay_us MICROSECOND) END,
  r.queued_at = CASE WHEN j.status = 'QUEUED' THEN UTC_TIMESTAMP(6) ELSE r.queued_at END,
  r.run_at = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN r.run_at ELSE (UTC_TIMESTAMP(6) + INTERVAL j.delay_us MICROSECOND) END,
  r.completed_at = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN UTC_TIMESTAMP(6) END,
  r.fence = r.fence + CASE WHEN j.status = 'QUEUED' THEN 1 ELSE 0 END,
  r.attempt = r.attempt - j.refund,
  r.crashes = r.crashes + j.crashed,
  r.suspect = CASE WHEN j.crashed = 1 THEN 1 ELSE r.suspect END,
  r.interruptions = r.interruptions + j.interrupted,
  r.result = j.result,
  r.error = j.error,
  r.unique_slot = CASE WHEN (j.status NOT IN ('QUEUED', 'SCHEDULED') OR r.cancel_requested = 1) THEN CASE WHEN r.unique_until > UTC_TIMESTAMP(6) THEN r.unique_slot END ELSE r.unique_slot END,
  r.cancel_requested = 0
WHERE r.status = 'RUNNING' AND r.fence = j.fence;

-- finish: sqlite
UPDATE lodger_run SET status = CASE WHEN cancel_requested = 0 OR :status NOT IN ('QUEUED', 'SCHEDULED') THEN :status ELSE 'CANCELLED' END,
  owner = NULL,
  ready_queue = CASE WHEN :status = 'QUEUED' AND cancel_requested = 0 THEN queue END,
  scheduled_at = CASE WHEN :status = 'SCHEDULED' AND cancel_requested = 0 THEN ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us) END,
  queued_at = CASE WHEN :status = 'QUEUED' THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE queued_at END,
  run_at = CASE WHEN (:status NOT IN ('QUEUED', 'SCHEDULED') OR cancel_requested = 1) THEN run_at ELSE ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us) END,
  completed_at = CASE WHEN (:status NOT IN ('QUEUED', 'SCHEDULED') OR cancel_requested = 1) THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) END,
  fence = fence + CASE WHEN :status = 'QUEUED' THEN 1 ELSE 0 END,
  attempt = attempt - :refund,
  crashes = crashes + :crashed,
  suspect = CASE WHEN :crashed = 1 THEN 1 ELSE suspect END,
  interruptions = interruptions + :interrupted,
  result = :result,
  error = :error,
  unique_slot = CASE WHEN (:status NOT IN ('QUEUED', 'SCHEDULED') OR cancel_requested = 1) THEN CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END ELSE unique_slot END,
  cancel_requested = 0
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- insert_attempt: postgresql
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message, traceback)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, statement_timestamp(),
  :error_type, :error_message, :traceback
FROM lodger_run AS r WHERE r.id = :id
ON CONFLICT DO NOTHING;

-- insert_attempt: mysql
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message, traceback)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, UTC_TIMESTAMP(6),
  :error_type, :error_message, :traceback
FROM lodger_run AS r WHERE r.id = :id
ON DUPLICATE KEY UPDATE ended_at = lodger_attempt.ended_at;

-- insert_attempt: sqlite
INSERT INTO lodger_attempt
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message, traceback)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  :error_type, :error_message, :traceback
FROM lodger_run AS r WHERE r.id = :id
ON CONFLICT DO NOTHING;

-- succeed_array: postgresql
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = statement_timestamp(), error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > statement_timestamp() THEN unique_slot END
WHERE status = 'RUNNING' AND fence = 1 AND id = ANY(CAST(CAST(:ids AS text) AS uuid[]));

-- succeed_list(2): mysql
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = UTC_TIMESTAMP(6), error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END
WHERE status = 'RUNNING' AND fence = 1 AND id IN (:id_0, :id_1);

-- succeed_list(2): sqlite
UPDATE lodger_run SET status = 'SUCCEEDED', owner = NULL, completed_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), error = NULL,
  cancel_requested = 0, unique_slot = CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END
WHERE status = 'RUNNING' AND fence = 1 AND id IN (:id_0, :id_1);
