-- lock_free(2): postgresql
SELECT id FROM lodger_run WHERE id = ANY(CAST(CAST(:ids AS text) AS uuid[])) FOR UPDATE SKIP LOCKED;

-- lock_free(2): mysql
SELECT id FROM lodger_run WHERE id IN (:id_0, :id_1) FOR UPDATE SKIP LOCKED;

-- lock_free(2): sqlite
SELECT id FROM lodger_run WHERE id IN (:id_0, :id_1);

-- there(2): postgresql
SELECT id FROM lodger_run WHERE id = ANY(CAST(CAST(:ids AS text) AS uuid[]));

-- there(2): mysql, sqlite
SELECT id FROM lodger_run WHERE id IN (:id_0, :id_1);
