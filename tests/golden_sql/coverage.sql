-- overdue_heads: postgresql
SELECT p.queue, p.job, p.runs, CAST(EXTRACT(EPOCH FROM statement_timestamp() - p.since) * 1000000 AS bigint), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT queue, job, scheduled_at AS since FROM lodger_run
  WHERE scheduled_at <= statement_timestamp() ORDER BY scheduled_at LIMIT :sample
) AS w GROUP BY w.queue, w.job) AS p;

-- overdue_heads: mysql
SELECT p.queue, p.job, p.runs, TIMESTAMPDIFF(MICROSECOND, p.since, UTC_TIMESTAMP(6)), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT queue, job, scheduled_at AS since FROM lodger_run
  WHERE scheduled_at <= UTC_TIMESTAMP(6) ORDER BY scheduled_at LIMIT :sample
) AS w GROUP BY w.queue, w.job) AS p;

-- overdue_heads: sqlite
SELECT p.queue, p.job, p.runs, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - p.since), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT queue, job, scheduled_at AS since FROM lodger_run
  WHERE scheduled_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) ORDER BY scheduled_at LIMIT :sample
) AS w GROUP BY w.queue, w.job) AS p;

-- seen_workers: postgresql
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, statement_timestamp() AS now_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR dead_at > (statement_timestamp() + CAST(:remembered_us AS bigint) * interval '1 microsecond') ORDER BY started_at DESC, id;

-- seen_workers: mysql
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, UTC_TIMESTAMP(6) AS now_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR dead_at > (UTC_TIMESTAMP(6) + INTERVAL :remembered_us MICROSECOND) ORDER BY started_at DESC, id;

-- seen_workers: sqlite
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) AS now_at,
  CASE WHEN dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us THEN 1 ELSE 0 END AS is_live
FROM lodger_worker WHERE dead_at IS NULL OR dead_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :remembered_us) ORDER BY started_at DESC, id;

-- waiting_head: postgresql
SELECT job, COUNT(*), CAST(EXTRACT(EPOCH FROM statement_timestamp() - MIN(run_at)) * 1000000 AS bigint) FROM (
  SELECT job, run_at FROM lodger_run WHERE ready_queue = :queue ORDER BY claim_rank, run_at, id LIMIT :sample
) AS head GROUP BY job;

-- waiting_head: mysql
SELECT job, COUNT(*), TIMESTAMPDIFF(MICROSECOND, MIN(run_at), UTC_TIMESTAMP(6)) FROM (
  SELECT job, run_at FROM lodger_run WHERE ready_queue = :queue ORDER BY claim_rank, run_at, id LIMIT :sample
) AS head GROUP BY job;

-- waiting_head: sqlite
SELECT job, COUNT(*), ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - MIN(run_at)) FROM (
  SELECT job, run_at FROM lodger_run WHERE ready_queue = :queue ORDER BY claim_rank, run_at, id LIMIT :sample
) AS head GROUP BY job;

-- waiting_pairs: postgresql
SELECT p.queue, p.job, p.runs, CAST(EXTRACT(EPOCH FROM statement_timestamp() - p.since) * 1000000 AS bigint), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT ready_queue AS queue, job, run_at AS since FROM lodger_run WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT queue, job, scheduled_at FROM lodger_run WHERE scheduled_at <= statement_timestamp()
) AS w GROUP BY w.queue, w.job) AS p;

-- waiting_pairs: mysql
SELECT p.queue, p.job, p.runs, TIMESTAMPDIFF(MICROSECOND, p.since, UTC_TIMESTAMP(6)), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT ready_queue AS queue, job, run_at AS since FROM lodger_run WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT queue, job, scheduled_at FROM lodger_run WHERE scheduled_at <= UTC_TIMESTAMP(6)
) AS w GROUP BY w.queue, w.job) AS p;

-- waiting_pairs: sqlite
SELECT p.queue, p.job, p.runs, ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - p.since), CASE WHEN EXISTS (
    SELECT 1 FROM lodger_queue AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  SELECT ready_queue AS queue, job, run_at AS since FROM lodger_run WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT queue, job, scheduled_at FROM lodger_run WHERE scheduled_at <= (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)
) AS w GROUP BY w.queue, w.job) AS p;
