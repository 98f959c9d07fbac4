-- edge_of_newest: postgresql, mysql, sqlite
SELECT id FROM lodger_run ORDER BY id DESC LIMIT 2 OFFSET :skip;

-- newest_durations: postgresql
SELECT CAST(EXTRACT(EPOCH FROM completed_at - started_at) * 1000000 AS bigint)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest
WHERE status IN ('SUCCEEDED', 'FAILED') AND started_at IS NOT NULL AND completed_at IS NOT NULL;

-- newest_durations: mysql
SELECT TIMESTAMPDIFF(MICROSECOND, started_at, completed_at)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest
WHERE status IN ('SUCCEEDED', 'FAILED') AND started_at IS NOT NULL AND completed_at IS NOT NULL;

-- newest_durations: sqlite
SELECT (completed_at - started_at)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest
WHERE status IN ('SUCCEEDED', 'FAILED') AND started_at IS NOT NULL AND completed_at IS NOT NULL;

-- newest_totals: postgresql
SELECT COUNT(*), SUM(CASE WHEN status = 'SUCCEEDED' AND completed_at > (statement_timestamp() + CAST(:hour_us AS bigint) * interval '1 microsecond') THEN 1 ELSE 0 END),
  AVG(CASE WHEN status = 'SUCCEEDED' AND completed_at > (statement_timestamp() + CAST(:hour_us AS bigint) * interval '1 microsecond') THEN CAST(EXTRACT(EPOCH FROM completed_at - started_at) * 1000000 AS bigint) END),
  SUM(CASE WHEN status = 'FAILED' AND completed_at > (statement_timestamp() + CAST(:day_us AS bigint) * interval '1 microsecond') THEN 1 ELSE 0 END)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest;

-- newest_totals: mysql
SELECT COUNT(*), SUM(CASE WHEN status = 'SUCCEEDED' AND completed_at > (UTC_TIMESTAMP(6) + INTERVAL :hour_us MICROSECOND) THEN 1 ELSE 0 END),
  AVG(CASE WHEN status = 'SUCCEEDED' AND completed_at > (UTC_TIMESTAMP(6) + INTERVAL :hour_us MICROSECOND) THEN TIMESTAMPDIFF(MICROSECOND, started_at, completed_at) END),
  SUM(CASE WHEN status = 'FAILED' AND completed_at > (UTC_TIMESTAMP(6) + INTERVAL :day_us MICROSECOND) THEN 1 ELSE 0 END)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest;

-- newest_totals: sqlite
SELECT COUNT(*), SUM(CASE WHEN status = 'SUCCEEDED' AND completed_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :hour_us) THEN 1 ELSE 0 END),
  AVG(CASE WHEN status = 'SUCCEEDED' AND completed_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :hour_us) THEN (completed_at - started_at) END),
  SUM(CASE WHEN status = 'FAILED' AND completed_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :day_us) THEN 1 ELSE 0 END)
FROM (SELECT status, started_at, completed_at FROM lodger_run ORDER BY id DESC LIMIT :sample) AS newest;

-- running_by_queue: postgresql, mysql, sqlite
SELECT queue, COUNT(*) FROM lodger_run WHERE owner IS NOT NULL GROUP BY queue;
