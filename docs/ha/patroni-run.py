#!/usr/bin/python3
"""Patroni, which looks once a second whether PostgreSQL has stopped before it lets the next leader begin. At a switchover that second is most of the
pause, so here it looks ten times a second. Nothing else is changed."""

import sys

import patroni.postgresql
from patroni.__main__ import main

if __name__ == "__main__":
    patroni.postgresql.STOP_POLLING_INTERVAL = 0.1
    sys.argv[0] = "patroni"
    sys.exit(main())
