#!/bin/sh
# Takes the README's pictures: plays the demo to its end, then photographs its model page in light and in dark.
#
#   deploy/pictures/take.sh [PORT]        needs `make setup` and Chromium; two minutes
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
port=${1:-9741}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "take.sh: no Chromium; Debian and Ubuntu call the package chromium" >&2
    exit 1
}

work=$(mktemp -d)
: >"$work/story"  # the loop below may look before the demo has opened it
"$root/.venv/bin/raincheck" demo --port "$port" >"$work/story" 2>&1 &
demo=$!
trap 'kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; rm -rf "$work"' EXIT

until grep -q "The story is over" "$work/story"; do
    kill -0 "$demo" || { cat "$work/story" >&2; exit 1; }
    sleep 1
done

# take <name> <0 dark, 1 light>: --no-sandbox, since the browser may run as root in a container, and sees this one page only
take() {
    "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$work/$1" --hide-scrollbars --window-size=1280,1600 \
        --blink-settings=preferredColorScheme="$2" --screenshot="$here/demo-$1.png" "http://127.0.0.1:$port/models/traffic-light" \
        >"$work/browser" 2>&1 || { cat "$work/browser" >&2; exit 1; }
}
take light 1
take dark 0
ls -l "$here"/demo-*.png
