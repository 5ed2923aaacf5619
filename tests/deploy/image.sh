#!/bin/sh
# Builds deploy/Dockerfile and runs tests/deploy/test_image.py on the result, where neither Docker nor a registry of images is at hand.
#
# Needs Debian or Ubuntu with root or sudo; what is missing comes by apt. The image's base is made here from Debian's packages and tagged with
# the name that FROM asks for; pip reaches its index as this machine's pip does. Everything lies in .cache/image, and goes when the tests have
# ended (KEEP=1 leaves it, and a next call begins from it). 5 to 8 minutes, bounded at 35.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
work="$root/.cache/image"
base=docker.io/library/python:3.12-slim
image=raincheck:0.1.0

say() { echo "image: $*"; }

sudo=
if [ "$(id -u)" != 0 ]; then sudo=sudo; fi

programs() {
    missing=
    for pair in podman:podman runc:runc conmon:conmon mmdebstrap:mmdebstrap; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
    done
    [ -e /usr/libexec/podman/catatonit ] || command -v catatonit >/dev/null || missing="$missing catatonit"
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
    if [ -z "$missing" ]; then return; fi
    say "installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # several words on purpose
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# an engine with a store, networks and limits of its own. runc, as crun knows no cgroups of both versions at once; files instead of
# systemd, which a container that this runs in does not have; limits as they are, which raising needs a right for
engine() {
    mkdir -p "$work"
    cat >"$work/containers.conf" <<END
[containers]
default_ulimits = []
[network]
network_config_dir = "$work/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
END
    cat >"$work/podman" <<END
#!/bin/sh
exec $sudo env CONTAINERS_CONF="$work/containers.conf" $(command -v podman) --log-level=fatal --root="$work/store" --runroot="$work/run" --tmpdir="$work/tmp" \\
    --storage-driver=overlay "\$@"
END
    chmod +x "$work/podman"
}

# Debian's Python under the official image's names, as bare as that: no manuals, no bytecode. Debian 13 has 3.13 where FROM says 3.12
stand_in() {
    if "$work/podman" image exists "$base"; then return; fi
    say "making a base from Debian's packages"
    $sudo nice -n 10 timeout 300 mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates,netbase,tzdata \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python"' \
        --customize-hook='find "$1/usr/lib" -name "*.pyc" -delete' \
        trixie "$work/base.tar" http://deb.debian.org/debian
    "$work/podman" import --quiet --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' "$work/base.tar" "$base" >/dev/null
    $sudo rm "$work/base.tar"
}

# root's folder while it builds: pip's configuration of this machine and the authorities that it trusts. A mount that exists in every base
# leaves no trace in what is built
home() {
    mkdir -p "$work/home/.config/pip"
    {
        echo "[global]"
        "$root/.venv/bin/python" -m pip config list | sed -n "s/^[^ ]*\.\(index-url\|extra-index-url\|timeout\|default-timeout\|proxy\|trusted-host\)='\(.*\)'$/\1 = \2/p"
        authorities=$("$root/.venv/bin/python" -m pip config list | sed -n "s/^[^ ]*\.cert='\(.*\)'$/\1/p" | head -n 1)
        if [ -n "$authorities" ]; then
            cp "$authorities" "$work/home/authorities.crt"
            echo "cert = /root/authorities.crt"
        fi
    } >"$work/home/.config/pip/pip.conf"
}

build() {
    say "building"
    nice -n 10 timeout 900 "$work/podman" build --quiet --pull=never --network=host --isolation=chroot --format=docker \
        --volume="$work/home:/root:ro" --build-arg="REVISION=$(git -C "$root" rev-parse HEAD)" \
        --file="$root/deploy/Dockerfile" --tag="$image" "$root" >/dev/null
}

clean() {
    if [ -n "${KEEP:-}" ] || [ ! -d "$work" ]; then return; fi
    if [ -x "$work/podman" ]; then "$work/podman" rm --all --force --time=0 >/dev/null 2>&1 || true; fi
    $sudo umount "$work/store/overlay" 2>/dev/null || true
    $sudo rm -rf "$work"
}

trap clean EXIT
trap 'exit 130' INT TERM
programs
engine
stand_in
home
build
"$work/podman" images
nice -n 10 timeout 900 "$root/.venv/bin/python" -m pytest -m image --durations=0 "$root/tests/deploy" "$@"
