#!/bin/sh
# Install the servers that tests start for themselves, from Debian's packages: PostgreSQL and Redis, and, when asked
# for with the argument `chromium`, the browser.
# Does nothing when they are there. Says what is missing when it may not install it.
set -eu

missing=
if ! command -v redis-server >/dev/null 2>&1; then
    missing="$missing redis-server"
fi
if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing="$missing postgresql"
fi
if [ "${1:-}" = chromium ] && ! command -v chromium >/dev/null 2>&1; then
    missing="$missing chromium"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "These tests need servers that are not installed. On Debian and Ubuntu, install them with:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
# The tests start servers of their own; the packages' need not run.
export RUNLEVEL=1
apt-get update -qq
# shellcheck disable=SC2086 # these are several words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
