#!/usr/bin/env bash
# Gradescope runs this once, as root, when the zip is uploaded.
set -euo pipefail
base=${AUTOGRADER:-/autograder}
cd "$base/source"

find_python() {
    for version in 3.13 3.12 3.11; do
        if "python$version" -c "import venv, ensurepip" 2>/dev/null; then
            echo "python$version"
            return
        fi
    done
    return 1
}

install_python() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    for version in 3.13 3.12 3.11; do
        if apt-get install -y --no-install-recommends "python$version" "python$version-venv"; then
            return
        fi
    done
    echo "No Python from 3.11 on can be had here: choose a newer base image, such as Ubuntu 24.04."
    return 1
}

python=$(find_python) || { install_python; python=$(find_python); }
"$python" -m venv "$base/venv"
"$base/venv/bin/pip" install --no-cache-dir uv
# Without CUDA, which takes gigabytes; where torch's own index cannot be reached, with it.
uv=("$base/venv/bin/uv" pip install --no-cache --python "$base/venv/bin/python")
"${uv[@]}" --torch-backend cpu --requirement requirements.txt ||
    "${uv[@]}" --requirement requirements.txt

# Submissions run as users of their own, and may read Python and the library. Nobody else reads the rest.
chmod 755 "$base" "$base/source"
chmod -R go-rwx "$base/source/autograder/tests"
