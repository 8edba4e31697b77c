#!/bin/sh
# Makes the cheats' weights from the lab's real model: sh requantize.sh MODEL.gguf [FOLDER]
# Python's packages go beside the weights, never into the repository.
set -eu
model=$1
folder=${2:-${COUNTERFOIL_HOME:-$HOME/.counterfoil}/lab}
here=$(dirname "$0")
environment=$folder/python
mkdir -p "$folder"
if [ ! -x "$environment/bin/python" ]; then
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet gguf==0.19.0 numpy==2.4.6
fi
exec "$environment/bin/python" "$here/requantize.py" "$model" "$folder"
