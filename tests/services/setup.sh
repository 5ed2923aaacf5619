#!/bin/sh
# The real services of the tests: Apache Kafka, Prometheus, Alertmanager, Chromium. Idempotent; a second call takes a fraction of a second.
#
# Needs Debian or Ubuntu with root or sudo only where Java 17, maven or Chromium are missing. Everything else lands in .cache/ of the repository.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache="$root/.cache"

say() { echo "services: $*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# one `apt-get update` per run, and none when nothing is missing
updated=no
refresh() {
    if [ "$updated" = no ]; then
        as_root apt-get update -qq
        updated=yes
    fi
}

install() {
    say "installing $*"
    refresh
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# 17 of `openjdk version "17.0.15" ...`, 8 of "1.8.0_292", 0 where there is none
java_major() {
    found=$(java -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]\{1,\}\).*/\2/p' | head -n 1)
    echo "${found:-0}"
}

# the broker's classes are of Java 17; a distribution's default may be older, or newer than its oldest package
java_runtime() {
    if [ "$(java_major)" -ge 17 ]; then return; fi
    command -v apt-get >/dev/null || { say "no Java 17 and no apt-get: install a runtime of Java 17 or later"; exit 1; }
    refresh
    for package in openjdk-21-jre-headless openjdk-17-jre-headless default-jre-headless; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            install "$package"
            break
        fi
    done
    hash -r
    if [ "$(java_major)" -ge 17 ]; then return; fi
    say "$(command -v java || echo java) is of version $(java_major) and comes first in PATH; Java 17 or later is needed"
    exit 1
}

kafka() {
    libs="$cache/kafka/libs"
    stamp="$cache/kafka/.stamp-$(cksum <"$here/pom.xml" | cut -d' ' -f1)"
    java_runtime
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

# Debian's Alertmanager does not start without its templates in /usr/share, where nothing was installed: it is told to look in share/
# of the folder that it is started in, by a path of the same length
templates() {
    program="$cache/prometheus/usr/bin/prometheus-alertmanager"
    if LC_ALL=C grep -q /usr/share/prometheus/alertmanager "$program"; then
        LC_ALL=C sed -i 's#/usr/share/prometheus/alertmanager#.////share/prometheus/alertmanager#g' "$program"
    fi
}

# Debian's packages would start a service each, so they are unpacked instead of installed
prometheus() {
    bin="$cache/prometheus/usr/bin"
    if [ -x "$bin/promtool" ] && [ -x "$bin/amtool" ]; then
        templates
        say "Prometheus and Alertmanager are there"
        return
    fi
    command -v apt-get >/dev/null || { say "no apt-get: the tests of metrics and alert rules are skipped"; return; }
    say "fetching Prometheus and Alertmanager (50 MB)"
    refresh
    rm -rf "$cache/prometheus"
    mkdir -p "$cache/prometheus/packages"
    # root's sandbox user cannot write here, and says so at length
    (cd "$cache/prometheus/packages" && apt-get -o APT::Sandbox::User=root download -qq prometheus prometheus-alertmanager)
    for package in "$cache"/prometheus/packages/*.deb; do dpkg-deb -x "$package" "$cache/prometheus"; done
    rm -r "$cache/prometheus/packages"
    templates
    say "Prometheus and Alertmanager are there"
}

# the browser that looks at the pages, and its driver of the same version
browser() {
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
        say "Chromium is there"
        return
    fi
    command -v apt-get >/dev/null || { say "no apt-get: the tests in a browser are skipped"; return; }
    refresh
    apt-cache show chromium-driver >/dev/null 2>&1 || { say "no package chromium-driver: the tests in a browser are skipped"; return; }
    install chromium chromium-driver
    say "Chromium is there"
}

# the programs that read a unit; nothing of it is started
systemd_analyze() {
    if command -v systemd-analyze >/dev/null; then return; fi
    command -v apt-get >/dev/null || { say "no systemd-analyze and no apt-get: the unit's test is skipped"; return; }
    install systemd
}

kafka
prometheus
systemd_analyze
browser
