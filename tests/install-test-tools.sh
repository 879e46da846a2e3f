#!/usr/bin/env bash
# Installs the real programs that `make test-full` tests against, from Debian or Ubuntu: a Prometheus, a browser with Japanese fonts,
# a load tool, a Docker Engine and what makes its base image. Does nothing when all of it is there. Starts no service.
# make test-full が使う本物のプログラムを Debian / Ubuntu からインストールします。すべて揃っていれば何もしません。サービスは起動しません。
set -euo pipefail

packages=(
  prometheus      # alert rules and dashboards are tried on it; brings promtool
  chromium        # reports are looked at in it
  fonts-noto-cjk  # and read in Japanese
  wrk             # load
  docker.io       # images are built and run; brings dockerd, containerd and runc
  mmdebstrap      # makes the base image, where no registry can be reached
  ca-certificates # goes into the base image
)

stop() {
  printf '%s\n' "$@" >&2
  exit 3
}

# PyTorch is too heavy for every environment; without it, its tests are skipped. UV_TORCH_BACKEND=cpu leaves out the CUDA libraries.
if [ -x .venv/bin/uv ] && ! .venv/bin/python -c "import torch, onnxscript" 2>/dev/null; then
  echo "test tools: installing torch / テスト用に torch をインストールします"
  .venv/bin/uv pip install --quiet --python .venv/bin/python torch==2.13.0 onnxscript ||
    echo "test tools: torch cannot be installed; its tests are skipped / torch をインストールできないため、そのテストは省略されます"
fi

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
  stop "make test-full needs apt-get (Debian or Ubuntu) to install: ${packages[*]}" \
    "make test-full には apt-get（Debian / Ubuntu）が必要です: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done

if [ "${#missing[@]}" -eq 0 ]; then
  echo "test tools: all installed / テスト用ツール: すべてインストール済みです"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
    stop "run as root, or install by hand: apt-get install --no-install-recommends ${missing[*]}" \
      "root で実行するか、手動でインストールしてください: apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo -n)
fi

echo "test tools: installing ${missing[*]} / テスト用ツールをインストールします: ${missing[*]}"
# RUNLEVEL=1: packages that bring a service do not start it.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends "${missing[@]}"
echo "test tools: done / 完了"
