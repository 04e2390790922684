#!/bin/sh
# pulumi-language-python: starts the language host with an interpreter that has the Pulumi SDK.
# That is the one that `. .local/env` names, else the nearest .venv at or above the working directory (the engine
# starts us in the project). Without -S and -I each start would take a third longer.
here=${0%/*}
python=${LOCAL_AWS_PYTHON:-}
folder=$PWD
while [ -n "$folder" ] && [ ! -x "$python" ]; do
    python=$folder/.venv/bin/python
    folder=${folder%/*}
done
if [ ! -x "$python" ]; then
    echo "pulumi-language-python: no .venv at or above $PWD; next: local-aws up, then . .local/env" >&2
    exit 1
fi
host=${LOCAL_AWS_TOOLCHAIN:-$here}/language_host.py
[ -f "$host" ] || host=$here/language_host.py
LOCAL_AWS_ENGINE_BIN=$here exec "$python" -I -S "$host" "$@"
