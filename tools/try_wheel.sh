#!/usr/bin/env bash
# Builds the wheel and tries it in a clean environment: the base install, then the extra `serve`;
# neither brings torch.
# Usage: tools/try_wheel.sh PYTHON CONSTRAINTS   (PYTHON has `build`; e.g. .venv/bin/python)
set -euo pipefail
builder=$(realpath -s "$1")
constraints=$(realpath "$2")
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export OMP_NUM_THREADS=1
# Not the source tree's package, not the user's: only what the wheel brings.
unset PYTHONPATH
export PYTHONNOUSERSITE=1

step() { echo "wheel: $*"; }
fail() { echo "wheel: FAILED: $*" >&2; exit 1; }

step "build"
"$builder" -m build --outdir "$place/dist" "$root" >"$place/build.log" 2>&1 \
    || { cat "$place/build.log" >&2; fail "the wheel does not build"; }
wheel=$(echo "$place"/dist/*.whl)

step "contents of $(basename "$wheel")"
"$builder" -m tools.wheel_contents "$wheel"

step "clean environment, base install only, $(basename "$constraints")"
"$builder" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --constraint "$constraints" "$wheel"
cd "$place"
bin="$place/venv/bin"
if "$bin/python" -c 'import torch' 2>/dev/null; then fail "the base install brings torch"; fi

step "commands that need no torch"
"$bin/medistill" --help >help.txt
"$bin/medistill" predict --help >predict.txt
"$bin/medistill" recipes >recipes.txt
grep -q kdvit-small recipes.txt || fail "'medistill recipes' does not list kdvit-small"
"$bin/medistill" recipes kdvit-small >recipe.txt

step "a command that needs torch says so in one sentence"
status=0
mkdir images
"$bin/medistill" run kdvit-small --data images --out run >said.txt 2>&1 || status=$?
[ "$status" -eq 2 ] || { cat said.txt; fail "exit code $status instead of 2"; }
tr -s ' \n' '  ' <said.txt | grep -qF "medistill[train]" || { cat said.txt; fail "the missing extra is not named"; }
if grep -q Traceback said.txt; then cat said.txt; fail "a traceback"; fi

step "a bundle predicts what torch says, without torch"
(cd "$root" && "$builder" -m tools.tiny_bundle make "$place/tiny")
"$bin/medistill" predict tiny/bundle tiny/images --out tiny/predictions.csv
(cd "$root" && "$builder" -m tools.tiny_bundle check "$place/tiny")

step "a command that needs the extra serve says so"
status=0
"$bin/medistill" serve tiny/bundle >said.txt 2>&1 || status=$?
[ "$status" -eq 2 ] || { cat said.txt; fail "exit code $status instead of 2"; }
tr -s ' \n' '  ' <said.txt | grep -qF "medistill[serve]" || { cat said.txt; fail "the missing extra is not named"; }

step "the extra serve brings no torch, and the service answers what predict says"
# The lowest versions of the base install are tried with the newest of the rest.
"$bin/python" -m pip install --quiet --constraint "$constraints" "$wheel[serve]"
if "$bin/python" -c 'import torch' 2>/dev/null; then fail "the extra serve brings torch"; fi
"$bin/medistill" serve tiny/bundle --port 0 2>serving.txt &
server=$!
for _ in $(seq 100); do grep -q "http://" serving.txt && break; sleep 0.2; done
address=$(grep -o "http://[^ ]*" serving.txt) || { cat serving.txt; fail "the service does not start"; }
(cd "$root" && "$builder" -m tools.tiny_bundle ask "$place/tiny" "$address")
kill -TERM "$server"
wait "$server" || fail "the service does not end in order"

step "passed"
