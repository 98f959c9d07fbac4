-- delete_declaration: postgresql, mysql, sqlite
DELETE FROM lodger_declaration WHERE schedule_id = :id AND owner = :owner;

-- delete_orphaned: postgresql, mysql, sqlite
DELETE FROM lodger_declaration WHERE NOT EXISTS (SELECT 1 FROM lodger_worker AS o WHERE o.id = lodger_declaration.owner)
  AND NOT EXISTS (SELECT 1 FROM lodger_scheduler AS o WHERE o.id = lodger_declaration.owner);

-- flag_schedules: postgresql
UPDATE lodger_schedule AS s SET undeclared_at = statement_timestamp(), due_at = NULL, version = version + 1
WHERE origin = 'code' AND undeclared_at IS NULL
  AND created_at < (statement_timestamp() + CAST(:grace_us AS bigint) * interval '1 microsecond')
  AND NOT (EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' OR o.beat_at > (statement_timestamp() + CAST(:grace_us AS bigint) * interval '1 microsecond'))) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond' OR o.beat_at > (statement_timestamp() + CAST(:grace_us AS bigint) * interval '1 microsecond'))));

-- flag_schedules: mysql
UPDATE lodger_schedule AS s SET undeclared_at = UTC_TIMESTAMP(6), due_at = NULL, version = version + 1
WHERE origin = 'code' AND undeclared_at IS NULL
  AND created_at < (UTC_TIMESTAMP(6) + INTERVAL :grace_us MICROSECOND)
  AND NOT (EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND OR o.beat_at > (UTC_TIMESTAMP(6) + INTERVAL :grace_us MICROSECOND))) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND OR o.beat_at > (UTC_TIMESTAMP(6) + INTERVAL :grace_us MICROSECOND))));

-- flag_schedules: sqlite
UPDATE lodger_schedule AS s SET undeclared_at = (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), due_at = NULL, version = version + 1
WHERE origin = 'code' AND undeclared_at IS NULL
  AND created_at < ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :grace_us)
  AND NOT (EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_worker AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us OR o.beat_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :grace_us))) OR EXISTS (SELECT 1 FROM lodger_declaration AS d JOIN lodger_scheduler AS o ON o.id = d.owner
    WHERE d.schedule_id = s.id AND (o.dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us OR o.beat_at > ((CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) + :grace_us))));

-- insert_declaration: postgresql, sqlite
INSERT INTO lodger_declaration (schedule_id, owner) VALUES (:id, :owner) ON CONFLICT DO NOTHING;

-- insert_declaration: mysql
INSERT INTO lodger_declaration (schedule_id, owner) VALUES (:id, :owner) ON DUPLICATE KEY UPDATE owner = lodger_declaration.owner;

-- select_declared: postgresql, mysql, sqlite
SELECT schedule_id FROM lodger_declaration WHERE owner = :owner;

-- select_digests: postgresql, mysql, sqlite
SELECT id, origin, digest, undeclared_at FROM lodger_schedule;

-- select_live_owners: postgresql
SELECT id, started_at FROM lodger_worker WHERE dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond'
UNION ALL
SELECT id, started_at FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < statement_timestamp() - dead_after_us * interval '1 microsecond';

-- select_live_owners: mysql
SELECT id, started_at FROM lodger_worker WHERE dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND
UNION ALL
SELECT id, started_at FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < UTC_TIMESTAMP(6) - INTERVAL dead_after_us MICROSECOND;

-- select_live_owners: sqlite
SELECT id, started_at FROM lodger_worker WHERE dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us
UNION ALL
SELECT id, started_at FROM lodger_scheduler WHERE dead_at IS NULL AND NOT beat_at < (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000) - dead_after_us;
