-- insert_arrays(plain): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
SELECT r.id, r.job, r.queue, r.claim_rank, r.max_attempts, r.on_crash, r.args, 'QUEUED', r.queue, statement_timestamp(), statement_timestamp() FROM unnest(CAST(CAST(:id AS text) AS uuid[]), CAST(CAST(:job AS text) AS text[]), CAST(CAST(:queue AS text) AS text[]), CAST(CAST(:claim_rank AS text) AS integer[]), CAST(CAST(:max_attempts AS text) AS integer[]), CAST(CAST(:on_crash AS text) AS text[]), CAST(CAST(:args AS text) AS text[])) AS r (id, job, queue, claim_rank, max_attempts, on_crash, args)
ON CONFLICT DO NOTHING;

-- insert_arrays(ready): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
SELECT r.id, r.job, r.queue, r.claim_rank, r.max_attempts, r.on_crash, r.args, 'QUEUED', r.queue, statement_timestamp(), statement_timestamp(), r.options, r.meta, r.tags, r.unique_slot, r.unique_scope, (statement_timestamp() + CAST(r.window_us AS bigint) * interval '1 microsecond'), (statement_timestamp() + CAST(r.expires_us AS bigint) * interval '1 microsecond') FROM unnest(CAST(CAST(:id AS text) AS uuid[]), CAST(CAST(:job AS text) AS text[]), CAST(CAST(:queue AS text) AS text[]), CAST(CAST(:claim_rank AS text) AS integer[]), CAST(CAST(:max_attempts AS text) AS integer[]), CAST(CAST(:on_crash AS text) AS text[]), CAST(CAST(:args AS text) AS text[]), CAST(CAST(:options AS text) AS text[]), CAST(CAST(:meta AS text) AS text[]), CAST(CAST(:tags AS text) AS text[]), CAST(CAST(:unique_slot AS text) AS bytea[]), CAST(CAST(:unique_scope AS text) AS text[]), CAST(CAST(:window_us AS text) AS bigint[]), CAST(CAST(:expires_us AS text) AS bigint[])) AS r (id, job, queue, claim_rank, max_attempts, on_crash, args, options, meta, tags, unique_slot, unique_scope, window_us, expires_us)
ON CONFLICT DO NOTHING;

-- insert_arrays(scheduled): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
SELECT r.id, r.job, r.queue, r.claim_rank, r.max_attempts, r.on_crash, r.args, 'SCHEDULED', NULL, COALESCE(CAST(r.run_at AS timestamptz), (statement_timestamp() + CAST(r.delay_us AS bigint) * interval '1 microsecond')), NULL, r.options, r.meta, r.tags, r.unique_slot, r.unique_scope, (statement_timestamp() + CAST(r.window_us AS bigint) * interval '1 microsecond'), (statement_timestamp() + CAST(r.expires_us AS bigint) * interval '1 microsecond'), COALESCE(CAST(r.run_at AS timestamptz), (statement_timestamp() + CAST(r.delay_us AS bigint) * interval '1 microsecond')) FROM unnest(CAST(CAST(:id AS text) AS uuid[]), CAST(CAST(:job AS text) AS text[]), CAST(CAST(:queue AS text) AS text[]), CAST(CAST(:claim_rank AS text) AS integer[]), CAST(CAST(:max_attempts AS text) AS integer[]), CAST(CAST(:on_crash AS text) AS text[]), CAST(CAST(:args AS text) AS text[]), CAST(CAST(:options AS text) AS text[]), CAST(CAST(:meta AS text) AS text[]), CAST(CAST(:tags AS text) AS text[]), CAST(CAST(:unique_slot AS text) AS bytea[]), CAST(CAST(:unique_scope AS text) AS text[]), CAST(CAST(:window_us AS text) AS bigint[]), CAST(CAST(:expires_us AS text) AS bigint[]), CAST(CAST(:run_at AS text) AS timestamptz[]), CAST(CAST(:delay_us AS text) AS bigint[])) AS r (id, job, queue, claim_rank, max_attempts, on_crash, args, options, meta, tags, unique_slot, unique_scope, window_us, expires_us, run_at, delay_us)
ON CONFLICT DO NOTHING;

-- insert_one(plain): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, statement_timestamp(), statement_timestamp())
ON CONFLICT DO NOTHING;

-- insert_one(plain): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_one(plain): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))
ON CONFLICT DO NOTHING;

-- insert_one(ready): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, statement_timestamp(), statement_timestamp(), :options, :meta, :tags, :unique_slot, :unique_scope, (statement_timestamp() + CAST(:window_us AS bigint) * interval '1 microsecond'), (statement_timestamp() + CAST(:expires_us AS bigint) * interval '1 microsecond'))
ON CONFLICT DO NOTHING;

-- insert_one(ready): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), :options, :meta, :tags, :unique_slot, :unique_scope, (UTC_TIMESTAMP(6) + INTERVAL :window_us MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us MICROSECOND))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_one(ready): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'QUEUED', :queue, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), :options, :meta, :tags, :unique_slot, :unique_scope, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us))
ON CONFLICT DO NOTHING;

-- insert_one(scheduled): postgresql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'SCHEDULED', NULL, COALESCE(CAST(:run_at AS timestamptz), (statement_timestamp() + CAST(:delay_us AS bigint) * interval '1 microsecond')), NULL, :options, :meta, :tags, :unique_slot, :unique_scope, (statement_timestamp() + CAST(:window_us AS bigint) * interval '1 microsecond'), (statement_timestamp() + CAST(:expires_us AS bigint) * interval '1 microsecond'), COALESCE(CAST(:run_at AS timestamptz), (statement_timestamp() + CAST(:delay_us AS bigint) * interval '1 microsecond')))
ON CONFLICT DO NOTHING;

-- insert_one(scheduled): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'SCHEDULED', NULL, COALESCE(:run_at, (UTC_TIMESTAMP(6) + INTERVAL :delay_us MICROSECOND)), NULL, :options, :meta, :tags, :unique_slot, :unique_scope, (UTC_TIMESTAMP(6) + INTERVAL :window_us MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us MICROSECOND), COALESCE(:run_at, (UTC_TIMESTAMP(6) + INTERVAL :delay_us MICROSECOND)))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_one(scheduled): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
VALUES (:id, :job, :queue, :claim_rank, :max_attempts, :on_crash, :args, 'SCHEDULED', NULL, COALESCE(:run_at, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us)), NULL, :options, :meta, :tags, :unique_slot, :unique_scope, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us), COALESCE(:run_at, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us)))
ON CONFLICT DO NOTHING;

-- insert_values(plain, 2): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'QUEUED', :queue_0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'QUEUED', :queue_1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_values(plain, 2): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'QUEUED', :queue_0, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'QUEUED', :queue_1, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000))
ON CONFLICT DO NOTHING;

-- insert_values(ready, 2): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'QUEUED', :queue_0, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), :options_0, :meta_0, :tags_0, :unique_slot_0, :unique_scope_0, (UTC_TIMESTAMP(6) + INTERVAL :window_us_0 MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us_0 MICROSECOND)),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'QUEUED', :queue_1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), :options_1, :meta_1, :tags_1, :unique_slot_1, :unique_scope_1, (UTC_TIMESTAMP(6) + INTERVAL :window_us_1 MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us_1 MICROSECOND))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_values(ready, 2): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'QUEUED', :queue_0, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), :options_0, :meta_0, :tags_0, :unique_slot_0, :unique_scope_0, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us_0), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us_0)),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'QUEUED', :queue_1, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), :options_1, :meta_1, :tags_1, :unique_slot_1, :unique_scope_1, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us_1), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us_1))
ON CONFLICT DO NOTHING;

-- insert_values(scheduled, 2): mysql
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'SCHEDULED', NULL, COALESCE(:run_at_0, (UTC_TIMESTAMP(6) + INTERVAL :delay_us_0 MICROSECOND)), NULL, :options_0, :meta_0, :tags_0, :unique_slot_0, :unique_scope_0, (UTC_TIMESTAMP(6) + INTERVAL :window_us_0 MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us_0 MICROSECOND), COALESCE(:run_at_0, (UTC_TIMESTAMP(6) + INTERVAL :delay_us_0 MICROSECOND))),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'SCHEDULED', NULL, COALESCE(:run_at_1, (UTC_TIMESTAMP(6) + INTERVAL :delay_us_1 MICROSECOND)), NULL, :options_1, :meta_1, :tags_1, :unique_slot_1, :unique_scope_1, (UTC_TIMESTAMP(6) + INTERVAL :window_us_1 MICROSECOND), (UTC_TIMESTAMP(6) + INTERVAL :expires_us_1 MICROSECOND), COALESCE(:run_at_1, (UTC_TIMESTAMP(6) + INTERVAL :delay_us_1 MICROSECOND)))
ON DUPLICATE KEY UPDATE id = lodger_run.id;

-- insert_values(scheduled, 2): sqlite
INSERT INTO lodger_run (id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at, options, meta, tags, unique_slot, unique_scope, unique_until, expires_at, scheduled_at)
VALUES (:id_0, :job_0, :queue_0, :claim_rank_0, :max_attempts_0, :on_crash_0, :args_0, 'SCHEDULED', NULL, COALESCE(:run_at_0, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us_0)), NULL, :options_0, :meta_0, :tags_0, :unique_slot_0, :unique_scope_0, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us_0), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us_0), COALESCE(:run_at_0, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us_0))),
  (:id_1, :job_1, :queue_1, :claim_rank_1, :max_attempts_1, :on_crash_1, :args_1, 'SCHEDULED', NULL, COALESCE(:run_at_1, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us_1)), NULL, :options_1, :meta_1, :tags_1, :unique_slot_1, :unique_scope_1, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :window_us_1), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :expires_us_1), COALESCE(:run_at_1, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :delay_us_1)))
ON CONFLICT DO NOTHING;

-- is_there: postgresql, mysql, sqlite
SELECT 1 FROM lodger_run WHERE id = :id;

-- let_go: postgresql
UPDATE lodger_run SET unique_slot = NULL WHERE id = :id AND unique_slot = :slot AND unique_until <= statement_timestamp() AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL));

-- let_go: mysql
UPDATE lodger_run SET unique_slot = NULL WHERE id = :id AND unique_slot = :slot AND unique_until <= UTC_TIMESTAMP(6) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL));

-- let_go: sqlite
UPDATE lodger_run SET unique_slot = NULL WHERE id = :id AND unique_slot = :slot AND unique_until <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL));

-- replace_waiting: postgresql
UPDATE lodger_run SET
  completed_at = CASE WHEN completed_at IS NULL THEN statement_timestamp() ELSE completed_at END,
  ready_queue = NULL, scheduled_at = NULL, unique_slot = NULL, unique_until = NULL,
  status = CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN status ELSE 'CANCELLED' END
WHERE id = :id AND status <> 'RUNNING';

-- replace_waiting: mysql
UPDATE lodger_run SET
  completed_at = CASE WHEN completed_at IS NULL THEN UTC_TIMESTAMP(6) ELSE completed_at END,
  ready_queue = NULL, scheduled_at = NULL, unique_slot = NULL, unique_until = NULL,
  status = CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN status ELSE 'CANCELLED' END
WHERE id = :id AND status <> 'RUNNING';

-- replace_waiting: sqlite
UPDATE lodger_run SET
  completed_at = CASE WHEN completed_at IS NULL THEN (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ELSE completed_at END,
  ready_queue = NULL, scheduled_at = NULL, unique_slot = NULL, unique_until = NULL,
  status = CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN status ELSE 'CANCELLED' END
WHERE id = :id AND status <> 'RUNNING';

-- unique_holder: postgresql
SELECT id, status, CASE WHEN unique_until <= statement_timestamp() AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL)) THEN 1 ELSE 0 END FROM lodger_run WHERE unique_slot = :slot;

-- unique_holder: mysql
SELECT id, status, CASE WHEN unique_until <= UTC_TIMESTAMP(6) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL)) THEN 1 ELSE 0 END FROM lodger_run WHERE unique_slot = :slot;

-- unique_holder: sqlite
SELECT id, status, CASE WHEN unique_until <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL)) THEN 1 ELSE 0 END FROM lodger_run WHERE unique_slot = :slot;

-- unique_holder_now: mysql
SELECT id, status, CASE WHEN unique_until <= UTC_TIMESTAMP(6) AND (completed_at IS NOT NULL OR (unique_scope = 'waiting' AND started_at IS NOT NULL)) THEN 1 ELSE 0 END FROM lodger_run WHERE unique_slot = :slot LOCK IN SHARE MODE;
