#!/bin/sh
# Starts a Redis that Sentinels watch: as the master where they say so, else as the master's replica. Where none of them
# answers yet, the first server is the master. Arguments go to Redis.
#
# ADDRESS, PORT: where the others find this server; FIRST: host and port of the first; SENTINEL: host and port of one
# that is asked, or of all of them by one name. CONFIG, SECRETS, DATA: folders. AUTHORITY, where they speak TLS: a file.
set -eu
# Empty where none answers. An answer that is no address, as to a wrong password, is for Redis to refuse.
master="$(REDISCLI_AUTH="$(cat "$SECRETS/redis_finder")" timeout 5 redis-cli -h "${SENTINEL% *}" -p "${SENTINEL#* }" \
    ${AUTHORITY:+--tls --cacert "$AUTHORITY"} --user finder --raw sentinel get-master-addr-by-name riskee-redis | tr '\n' ' ')"
master="${master% }"
: "${master:=$FIRST}"
if [ "$master" != "$ADDRESS $PORT" ]; then
    set -- "$@" --replicaof "${master% *}" "${master#* }"
fi
exec redis-server "$CONFIG/redis.conf" --include "$SECRETS/redis_replica.conf" --dir "$DATA" --port "$PORT" \
    --replica-announce-ip "$ADDRESS" --replica-announce-port "$PORT" "$@"
