#!/bin/sh
# The real services of the tests: today Apache Kafka. Idempotent; a second call takes a fraction of a second.
#
# Needs Debian or Ubuntu with root or sudo only where java or maven are missing. Everything else lands in .cache/ of the repository.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache="$root/.cache"

say() { echo "services: $*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install <package> ...: one `apt-get update` per run, and none when nothing is missing
updated=no
install() {
    say "installing $*"
    if [ "$updated" = no ]; then
        as_root apt-get update -qq
        updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

kafka() {
    libs="$cache/kafka/libs"
    stamp="$cache/kafka/.stamp-$(cksum <"$here/pom.xml" | cut -d' ' -f1)"
    command -v java >/dev/null || install default-jre-headless
    if [ -f "$stamp" ]; then
        say "Apache Kafka is there"
        return
    fi
    command -v mvn >/dev/null || install maven
    say "fetching Apache Kafka (40 MB)"
    rm -rf "$cache/kafka"
    mkdir -p "$libs"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" -DincludeScope=runtime
    touch "$stamp"
    say "Apache Kafka is there: $(ls "$libs" | wc -l) jars"
}

kafka
