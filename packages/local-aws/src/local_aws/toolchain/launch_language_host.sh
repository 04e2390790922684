#!/bin/sh
# pulumi-language-python: starts the language host with an interpreter that has the Pulumi SDK.
# That is the nearest .venv at or above the working directory (the engine starts us in the project), else the
# one of the checkout that `. .local/env` speaks of. Without -S and -I each start would cost a third more.
here=${0%/*}
folder=$PWD
while [ -n "$folder" ] && [ ! -x "$folder/.venv/bin/python" ]; do folder=${folder%/*}; done
: "${folder:=${RELEASE_LANE_HOME:-}}"
if [ ! -x "$folder/.venv/bin/python" ]; then
    echo "pulumi-language-python: no .venv at or above $PWD; run ./bootstrap in the checkout first" >&2
    exit 1
fi
host=$folder/packages/local-aws/src/local_aws/toolchain/language_host.py
[ -f "$host" ] || host=$here/language_host.py
RELEASE_LANE_ENGINE_BIN=$here exec "$folder/.venv/bin/python" -I -S "$host" "$@"
