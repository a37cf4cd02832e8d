#!/usr/bin/env bash
# Makes ~/dcgan-env, which a node runs Ray and our jobs with: the Python, Ray and torch that pyproject.toml and
# constraints.txt beside this folder pin. What is there stays while the pins are the same, so that a machine image that
# has it, or a second `ray up`, takes no time. Our own code is not in it: that comes with each job.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$HOME/dcgan-env
python=3.11

if [ -f ~/.ray/auth_token ]; then chmod 600 ~/.ray/auth_token; fi
# The launcher's own `ray stop` and `ray exec` come by a shell that reads this.
line=". ~/dcgan-dist/cluster/node.env"
grep -qsxF "$line" ~/.bashrc || echo "$line" >>~/.bashrc

pins=$(cat pyproject.toml constraints.txt cluster/setup.sh | cksum | cut -d' ' -f1)
if [ "$(cat "$environment/pins" 2>/dev/null)" = "$pins" ]; then exit 0; fi
export PATH=$HOME/.local/bin:$PATH
if ! command -v uv >/dev/null; then
  # A tool that brings the Python that is pinned: the system's own is another one on every image.
  curl -LsSf https://astral.sh/uv/0.9.9/install.sh | env UV_NO_MODIFY_PATH=1 sh
fi
rm -rf "$environment"
uv venv --quiet --python "$python" "$environment"
uv pip install --quiet --python "$environment/bin/python" --constraint constraints.txt \
  --requirement pyproject.toml --extra evaluate --extra sweep boto3
echo "$pins" >"$environment/pins"
