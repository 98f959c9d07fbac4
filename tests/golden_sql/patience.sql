-- begin: postgresql
BEGIN;

-- commit: postgresql, mysql, sqlite
COMMIT;

-- own_patience: postgresql, sqlite
SELECT current_setting('lock_timeout'),
  CAST(current_setting('lock_timeout') AS interval) BETWEEN interval '1 ms' AND interval '5 s',
  now();

-- own_patience: mysql
SELECT @@SESSION.innodb_lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout <= 5, NULL;

-- roll_back: postgresql, mysql, sqlite
ROLLBACK;

-- set_patience: postgresql
SELECT set_config('lock_timeout', :patience, true), now();

-- set_patience: mysql
SET SESSION innodb_lock_wait_timeout = :patience;
