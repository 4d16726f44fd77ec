#!/bin/sh
# PostgreSQL's failover under load: every class of faults, FAULTS times each (default 1). The same as `make drill-postgres`.
set -eu
cd "$(dirname "$0")/.."
exec make --no-print-directory drill-postgres "$@"
