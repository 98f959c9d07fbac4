"""Django's connections, without a Django project."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

from sqlalchemy.engine import URL

BACKENDS = {"sqlite": "sqlite3", "postgresql": "postgresql", "mysql": "mysql"}


@contextmanager
def django_connection(url: URL) -> Iterator[Any]:
    """`connections[alias]` of a new alias for the database `url`, connected and in autocommit mode as Django does."""
    connections = _connections()
    backend = BACKENDS[url.get_backend_name()]
    if backend == "mysql":
        _import_mysql_backend()
    alias = f"test_{uuid4().hex}"
    told = {
        "ENGINE": f"django.db.backends.{backend}",
        "NAME": url.database,
        "HOST": url.host or "",
        "PORT": url.port or "",
        "USER": url.username or "",
        "PASSWORD": url.password or "",
    }
    connections.settings.update(connections.configure_settings({"default": {}, alias: told}))
    connection = connections[alias]
    try:
        yield connection
    finally:
        connection.close()
        del connections[alias], connections.settings[alias]


def _connections() -> Any:
    settings = import_module("django.conf").settings
    if not settings.configured:
        settings.configure(USE_TZ=True, LOGGING_CONFIG=None)
        import_module("django").setup()
    return import_module("django.db").connections


def _import_mysql_backend() -> None:
    """Import Django's MySQL backend with PyMySQL in the place of mysqlclient, and leave no trace of that."""
    name = "django.db.backends.mysql.base"
    if name in sys.modules:
        return
    before = {module for module in sys.modules if module.partition(".")[0] == "MySQLdb"}
    if not before:
        import_module("pymysql").install_as_MySQLdb()
    import_module(name)
    for module in [module for module in sys.modules if module.partition(".")[0] in {"MySQLdb", "_mysql"}]:
        if module not in before:
            del sys.modules[module]
