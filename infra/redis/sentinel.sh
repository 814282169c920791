#!/bin/sh
# Starts a Sentinel. It writes what it learns into its configuration, which is kept; the passwords are taken anew.
#
# ADDRESS, PORT: where the others find it. SECRETS, DATA: folders.
set -eu
umask 077
given="$SECRETS/redis_sentinel.conf" kept="$DATA/sentinel.conf" passwords='^sentinel (auth-pass|sentinel-pass) '
if [ -f "$kept" ]; then
    grep -E -v "$passwords" "$kept" >"$kept.new"
    grep -E "$passwords" "$given" >>"$kept.new"
else
    cp "$given" "$kept.new"
    printf '\nport %s\ndir "%s"\nsentinel announce-ip "%s"\nsentinel announce-port %s\n' \
        "$PORT" "$DATA" "$ADDRESS" "$PORT" >>"$kept.new"
fi
mv "$kept.new" "$kept"
exec redis-server "$kept" --sentinel "$@"
