-- find: postgresql, mysql, sqlite
SELECT 1 FROM lodger_run WHERE id = :id;

-- lock_if_free: postgresql, mysql
SELECT 1 FROM lodger_run WHERE id = :id FOR UPDATE SKIP LOCKED;
