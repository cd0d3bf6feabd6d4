#!/bin/sh
# Prints the table of speeds beside those of the peers: bench/run.sh [--python PYTHON] [--nanogpt DIR] [--llmc DIR] [--rounds N] [--quick].
#
# Builds the benchmarks into build/bench. The peers (the full torch==2.11.0, transformers) are installed
# into build/bench/peers, once (5 GB), unless --python names an interpreter that has them.
# --nanogpt, --llmc: checkouts of them; without nanoGPT's our own model of the same form stands for it.
# --rounds: pairs of each comparison of steps (7). A round of all shapes takes about 8 minutes on 2 cores.
# --gpu: steps on this machine's NVIDIA GPU instead, nothing else.
# --quick: one round and small files, to see that everything runs; its figures are no results.
set -eu
cd "$(dirname "$0")/.."
python= quick= gpu= nanogpt= llmc= rounds=7
while [ $# -gt 0 ]; do
  case $1 in
    --python) python=${2:?--python needs an interpreter}; shift 2 ;;
    --nanogpt) nanogpt=${2:?--nanogpt needs a folder}; shift 2 ;;
    --llmc) llmc=${2:?--llmc needs a folder}; shift 2 ;;
    --rounds) rounds=${2:?--rounds needs a number}; shift 2 ;;
    --quick) quick=1; shift ;;
    --gpu) gpu=1; shift ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

build=build/bench
cmake -G Ninja -S . -B $build -DCMAKE_BUILD_TYPE=Release -DSTAGEDTRAIN_BENCH=ON >/dev/null
ninja -C $build stagedtrain stagedtrain_torch train_bench checkpoint_bench grow_bench >/dev/null
if [ -z "$python" ]; then
  python=$build/peers/bin/python
  [ -x $python ] || python3 -m venv $build/peers
  $python -c 'import torch, transformers' 2>/dev/null || $build/peers/bin/pip install -q torch==2.11.0 transformers
fi

if [ "$gpu" ]; then
  bench/gpu_bench.py --build $build --python "$python" ${nanogpt:+--nanogpt "$nanogpt"} ${llmc:+--llmc "$llmc"}
  echo; echo "== two GPUs beside one, and beside DDP"
  bench/ranks_bench.py --program $build/stagedtrain --device cuda --ddp "$python" || [ $? = 77 ]
  exit
fi

gigabytes=4 seconds=5 shapes=2x64,4x128,6x256,8x512,12x768-50k
if [ $quick ]; then rounds=1 gigabytes=0.3 seconds=1 shapes=2x64; fi
if [ "$nanogpt" ]; then peers=nanogpt,nanogpt-compile,transformers; else peers=plain,compile,transformers; fi
echo "machine    $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
echo "date       $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), load $(cut -d' ' -f1 /proc/loadavg)"
echo "sgemm peak $($python bench/pytorch_step.py --sgemm-peak)"

echo; echo "== training steps, fp32: tokens/s, memory (MiB), ratios to each peer"
bench/train_bench.py --build $build --python "$python" --shapes $shapes --rounds $rounds --seconds $seconds --peers $peers \
  ${nanogpt:+--nanogpt "$nanogpt"} ${llmc:+--llmc "$llmc"} || true

echo; echo "== first step after a growth, standing still for checkpoints, starting"
bench/run_bench.py --program $build/stagedtrain ${quick:+--quick}

echo; echo "== saving"
$build/bench/checkpoint_bench $gigabytes $rounds $build

echo; echo "== growing from file to file"
$build/bench/grow_bench $build/stagedtrain $gigabytes 3 $build
