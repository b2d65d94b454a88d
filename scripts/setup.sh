#!/usr/bin/env bash
# Makes the virtual environment of a checkout, with the core and the extras that are named:
# `scripts/setup.sh .venv serve gpu`. `make` calls it.
set -euo pipefail

venv=${1:-.venv}
shift || true
extras=$(IFS=,; echo "$*")

# The first interpreter that the dependencies have wheels for; PYTHON overrides it.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.12 python3.11 python3.13 python3.10 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.10 to 3.13 found;" \
        "install one, or name it: make setup PYTHON=/path/to/python3.12" >&2
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"; } >&2
}

make_venv() {
    local python=$1 package
    package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    if "$python" -m venv "$venv" 2>/dev/null; then return; fi
    rm -rf "$venv"
    echo "setup: $python cannot make a virtual environment; trying to install $package" >&2
    if apt_install "$package" && "$python" -m venv "$venv"; then return; fi
    rm -rf "$venv"
    echo "setup: install what is missing with: sudo apt-get install $package" >&2
    return 1
}

# MediaPipe, where it is installed, loads these system libraries; a bare server image lacks them.
check_shared_libraries() {
    local libraries=(libgl1 libglib2.0-0 libegl1 libgles2) said
    local probe='import cv2, importlib.util as u; u.find_spec("mediapipe") and __import__("mediapipe")'
    if said=$("$venv/bin/python" -c "$probe" 2>&1); then return; fi
    case $said in
    *"cannot open shared object file"*) ;;
    *)
        echo "$said" >&2
        echo "setup: OpenCV or MediaPipe does not load in $venv; see above" >&2
        return 1
        ;;
    esac
    echo "setup: ${said##*ImportError: }; trying to install ${libraries[*]}" >&2
    if apt_install "${libraries[@]}" && "$venv/bin/python" -c "$probe" >/dev/null; then return; fi
    echo "setup: install the missing libraries, then run make setup again:" \
        "sudo apt-get install ${libraries[*]}" >&2
    return 1
}

if [ ! -x "$venv/bin/python" ]; then
    python=$(find_python)
    make_venv "$python"
fi
# Compiled when it is first imported: most of what is installed never is.
"$venv/bin/python" -m pip install --quiet --no-compile --editable ".${extras:+[$extras]}"
check_shared_libraries
# Now rather than before the first picture; a failure is told again there.
"$venv/bin/rtfilter" engines prepare >/dev/null || echo "setup: the networks will be made on first use" >&2
echo "setup: done, in $venv"
