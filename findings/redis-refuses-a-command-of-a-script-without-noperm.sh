#!/usr/bin/env bash
# A command that the ACL refuses is answered with NOPERM; the same command in a script with an error that begins with ERR. Redis 7.0
# says "ERR The user executing the script can't run this command", Redis 8.0 and Valkey 8.1 and 9.1 "ERR ACL failure in script: User
# NAME has no permissions to run the 'getrange' command", with the name of the user.
# Seen with redis-server 7.0.15, 8.0.2 and 8.0.6, and valkey-server 8.1.1 and 9.1.2; the first argument names the server.
# It matters to us because a client that looks for NOPERM takes a missing right for a broken server, and because the user's name
# then stands in an error that is logged.
set -euo pipefail
server=${1:-redis-server}
command -v "$server" > /dev/null || { echo "needs $server" >&2; exit 2; }
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$folder"' EXIT
"$server" --port 0 --unixsocket "$folder/redis.sock" --save '' --dir "$folder" > "$folder/redis.log" &
pid=$!
cli () { redis-cli -s "$folder/redis.sock" "$@"; }
for _ in $(seq 100); do [ -S "$folder/redis.sock" ] && break; sleep 0.1; done
cli ACL SETUSER ada on '>secret' '~*' +@all -getrange > /dev/null
as_ada () { cli --user ada --pass secret --no-auth-warning "$@"; }
direct=$(as_ada GETRANGE key 0 1 2>&1 || true)
script=$(as_ada EVAL "return redis.call('GETRANGE', KEYS[1], 0, 1)" 1 key 2>&1 || true)
cli INFO server | grep -E '^(redis|valkey)_version'
printf 'direct: %s\nscript: %s\n' "$direct" "$script"
[[ $direct == NOPERM* ]]
[[ $script == 'ERR '* && $script != *NOPERM* ]]
