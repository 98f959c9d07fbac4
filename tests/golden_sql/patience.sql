-- own_patience: postgresql
SELECT current_setting('lock_timeout'),
  CAST(current_setting('lock_timeout') AS interval) BETWEEN interval '1 ms' AND interval '5 s';

-- own_patience: mysql
SELECT @@SESSION.innodb_lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout <= 5;

-- set_patience: postgresql
SELECT set_config('lock_timeout', :patience, true);

-- set_patience: mysql
SET SESSION innodb_lock_wait_timeout = :patience;
