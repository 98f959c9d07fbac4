-- adopt_run: postgresql, mysql, sqlite
UPDATE lodger_run SET max_attempts = COALESCE(max_attempts, :max_attempts), on_crash = COALESCE(on_crash, :on_crash)
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- claim_due: postgresql
UPDATE lodger_run SET status = 'RUNNING', ready_queue = NULL, owner = :owner, worker_id = :owner, engine = :engine,
  fence = fence + 1, attempt = attempt + 1, started_at = statement_timestamp(),
  unique_slot = CASE WHEN unique_scope = 'waiting' AND (unique_until IS NULL OR unique_until <= statement_timestamp()) THEN NULL ELSE unique_slot END
WHERE id = ANY(ARRAY(SELECT id FROM lodger_run
  WHERE ready_queue = :queue AND job = ANY(CAST(:jobs AS text[]))
  AND EXISTS (SELECT 1 FROM lodger_worker AS w WHERE w.id = :owner AND w.dead_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM lodger_queue AS q WHERE q.name = :queue AND q.paused_at IS NOT NULL)
  ORDER BY claim_rank, run_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)) AND status = 'QUEUED'
RETURNING id, job, queue, fence, attempt, max_attempts, on_crash, crashes, interruptions, suspect, CASE WHEN expires_at <= statement_timestamp() THEN 1 ELSE 0 END, args, options, meta, checkpoint, claim_rank, run_at;

-- claim_due: sqlite
UPDATE lodger_run SET status = 'RUNNING', ready_queue = NULL, owner = :owner, worker_id = :owner, engine = :engine,
  fence = fence + 1, attempt = attempt + 1, started_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  unique_slot = CASE WHEN unique_scope = 'waiting' AND (unique_until IS NULL OR unique_until <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)) THEN NULL ELSE unique_slot END
WHERE id IN (SELECT id FROM lodger_run
  WHERE ready_queue = :queue AND instr(:jobs, ',' || job || ',')
  AND EXISTS (SELECT 1 FROM lodger_worker AS w WHERE w.id = :owner AND w.dead_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM lodger_queue AS q WHERE q.name = :queue AND q.paused_at IS NOT NULL)
  ORDER BY claim_rank, run_at, id LIMIT :limit ) AND status = 'QUEUED'
RETURNING id, job, queue, fence, attempt, max_attempts, on_crash, crashes, interruptions, suspect, CASE WHEN expires_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN 1 ELSE 0 END, args, options, meta, checkpoint, claim_rank, run_at;

-- give_back: postgresql
UPDATE lodger_run SET owner = NULL, fence = fence + 1, attempt = attempt - 1, queued_at = statement_timestamp(),
  status = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'QUEUED' END,
  ready_queue = CASE WHEN cancel_requested = 0 THEN queue END,
  completed_at = CASE WHEN cancel_requested = 1 THEN statement_timestamp() END,
  unique_slot = CASE WHEN cancel_requested = 1 THEN CASE WHEN unique_until > statement_timestamp() THEN unique_slot END ELSE unique_slot END,
  cancel_requested = 0
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- give_back: mysql
UPDATE lodger_run SET owner = NULL, fence = fence + 1, attempt = attempt - 1, queued_at = UTC_TIMESTAMP(6),
  status = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'QUEUED' END,
  ready_queue = CASE WHEN cancel_requested = 0 THEN queue END,
  completed_at = CASE WHEN cancel_requested = 1 THEN UTC_TIMESTAMP(6) END,
  unique_slot = CASE WHEN cancel_requested = 1 THEN CASE WHEN unique_until > UTC_TIMESTAMP(6) THEN unique_slot END ELSE unique_slot END,
  cancel_requested = 0
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- give_back: sqlite
UPDATE lodger_run SET owner = NULL, fence = fence + 1, attempt = attempt - 1, queued_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000),
  status = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'QUEUED' END,
  ready_queue = CASE WHEN cancel_requested = 0 THEN queue END,
  completed_at = CASE WHEN cancel_requested = 1 THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) END,
  unique_slot = CASE WHEN cancel_requested = 1 THEN CASE WHEN unique_until > (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) THEN unique_slot END ELSE unique_slot END,
  cancel_requested = 0
WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- lock_due: mysql
SELECT id, job, queue, fence, attempt, max_attempts, on_crash, crashes, interruptions, suspect, CASE WHEN expires_at <= UTC_TIMESTAMP(6) THEN 1 ELSE 0 END, args, options, meta, checkpoint, claim_rank, run_at FROM lodger_run
  WHERE ready_queue = :queue AND FIND_IN_SET(job, :jobs)
  AND EXISTS (SELECT 1 FROM lodger_worker AS w WHERE w.id = :owner AND w.dead_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM lodger_queue AS q WHERE q.name = :queue AND q.paused_at IS NOT NULL)
  ORDER BY claim_rank, run_at, id LIMIT :limit FOR UPDATE SKIP LOCKED;

-- next_ready_queue: mysql
SELECT MIN(ready_queue) FROM lodger_run WHERE ready_queue > :after;

-- owned_by_engine: postgresql, mysql, sqlite
SELECT id, fence, cancel_requested FROM lodger_run WHERE owner = :owner AND engine = :engine;

-- ready_queues: postgresql, sqlite
WITH RECURSIVE ready (name) AS (
  SELECT MIN(ready_queue) FROM lodger_run WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT (SELECT MIN(r.ready_queue) FROM lodger_run AS r WHERE r.ready_queue > ready.name)
  FROM ready WHERE ready.name IS NOT NULL
)
SELECT name FROM ready WHERE name IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM lodger_queue AS q WHERE q.name = ready.name AND q.paused_at IS NOT NULL);

-- take_locked(2): mysql
UPDATE lodger_run SET status = 'RUNNING', ready_queue = NULL, owner = :owner, worker_id = :owner, engine = :engine,
  fence = fence + 1, attempt = attempt + 1, started_at = UTC_TIMESTAMP(6),
  unique_slot = CASE WHEN unique_scope = 'waiting' AND (unique_until IS NULL OR unique_until <= UTC_TIMESTAMP(6)) THEN NULL ELSE unique_slot END
WHERE id IN (:id_0, :id_1) AND status = 'QUEUED';
