#!/bin/sh
# Starts a process of Dagster with the password of its database, which is read from a file.
set -eu
if [ -z "${DAGSTER_POSTGRES_PASSWORD:-}" ]; then
    DAGSTER_POSTGRES_PASSWORD="$(cat "${DAGSTER_POSTGRES_PASSWORD_FILE:-/run/secrets/postgres_dagster}")"
    export DAGSTER_POSTGRES_PASSWORD
fi
exec "$@"
