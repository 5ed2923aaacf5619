#!/bin/sh
# The real services of the tests: Apache Kafka, Prometheus, Alertmanager. Idempotent; a second call takes a fraction of a second.
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
    mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" -DincludeScope=runtime
    touch "$stamp"
    say "Apache Kafka is there: $(ls "$libs" | wc -l) jars"
}

# Debian's packages would start a service each, so they are unpacked instead of installed
prometheus() {
    bin="$cache/prometheus/usr/bin"
    if [ -x "$bin/promtool" ] && [ -x "$bin/amtool" ]; then
        say "Prometheus and Alertmanager are there"
        return
    fi
    command -v apt-get >/dev/null || { say "no apt-get: the tests of metrics and alert rules are skipped"; return; }
    say "fetching Prometheus and Alertmanager (50 MB)"
    if [ "$updated" = no ]; then
        as_root apt-get update -qq
        updated=yes
    fi
    rm -rf "$cache/prometheus"
    mkdir -p "$cache/prometheus/packages"
    # root's sandbox user cannot write here, and says so at length
    (cd "$cache/prometheus/packages" && apt-get -o APT::Sandbox::User=root download -qq prometheus prometheus-alertmanager)
    for package in "$cache"/prometheus/packages/*.deb; do dpkg-deb -x "$package" "$cache/prometheus"; done
    rm -r "$cache/prometheus/packages"
    say "Prometheus and Alertmanager are there"
}

kafka
prometheus
