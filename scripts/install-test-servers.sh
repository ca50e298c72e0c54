#!/bin/sh
# Install programs that tests start for themselves, from Debian's packages: those that are named, of redis, postgresql,
# mariadb and chromium; without names, the first two.
# Does nothing when they are there. Says what is missing when it may not install it.
set -eu

[ $# -gt 0 ] || set -- redis postgresql
missing=
for wanted in "$@"; do
    case $wanted in
        redis)
            command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
            ;;
        postgresql)
            command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
                || missing="$missing postgresql"
            ;;
        mariadb)
            command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server"
            # Airflow's MySQL provider needs a driver that is built where it is installed.
            command -v mariadb_config >/dev/null 2>&1 || missing="$missing libmariadb-dev gcc pkg-config"
            ;;
        chromium)
            command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 \
                || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
            ;;
        *)
            echo "$0: $wanted is none of redis, postgresql, mariadb, chromium" >&2
            exit 2
            ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "These tests need programs that are not installed. On Debian and Ubuntu, install them with:" >&2
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
