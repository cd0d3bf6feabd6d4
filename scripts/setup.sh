#!/usr/bin/env bash
# Installs what building and running need and is not there yet: Debian packages, and LibTorch into .deps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--cuda] [--nvcc] [--readers] [--tests] [--quiet] [--list]
Installs what is missing; needs root or sudo only if Debian packages are missing.
  --cuda   the full LibTorch set, with CUDA (chosen by itself where an NVIDIA GPU is present), and nvcc
  --nvcc   the compiler for own CUDA kernels, where none is on the PATH or in /usr/local/cuda
  --readers  a Python with the programs that exported models are for: transformers, llama.cpp, ...
  --tests  also what the tests need: nvcc, since they link the kernels even without a GPU, and --readers
  --quiet  print nothing where nothing was missing
  --list   only print the Debian packages, one a line
A LibTorch that CMAKE_PREFIX_PATH names is used as it is; else one is put into .deps/libtorch.
TEXT
}

# The same names on Debian 12 and on Ubuntu 22.04 and later (there in "universe").
packages=(g++ cmake ninja-build ccache libfmt-dev libcli11-dev libyaml-cpp-dev nlohmann-json3-dev
  libhdf5-dev libsentencepiece-dev libpcre2-dev libeigen3-dev libboost-dev zlib1g-dev libzstd-dev libhwy-dev gnuplot-nox python3 python3-pip)
test_packages=(catch2 hdf5-tools python3-h5py python3-jsonschema python3-yaml groff-base shellcheck)

torch_version=2.11.0
torch_folder=.deps/libtorch
# The wheel's CPU code is linked against two CUDA libraries, runtime and cupti; crt has the headers that
# the runtime's own headers include. The rest of CUDA is not needed.
cpu_set=("torch==$torch_version" 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' 'nvidia-cuda-crt==13.0.*')
cuda_set=("torch==$torch_version" 'nvidia-cuda-crt==13.0.*')
nvcc_folder=.deps/nvcc
nvcc_set=('nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*')
# The real readers of what is exported and logged. bin/python there starts a Python that has them and torch.
readers_folder=.deps/readers
readers_set=('transformers==5.24.0' 'gguf==0.19.0' 'safetensors==0.8.0' 'tokenizers==0.23.3' 'xllamacpp==2026.10.11549'
  'tiktoken==0.14.0' 'tensorboard==2.21.0' 'h5py==3.16.0' numpy pyyaml
  sympy networkx jinja2 filelock fsspec typing-extensions) # the last six for torch

quiet=0
note() { ((quiet)) || say "$@"; }

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
  local name
  for name in "$@"; do
    grep -qxF "$name installed" <<<"$installed" || echo "$name"
  done
}

# Sets as_root to what makes a command run as root; fails where nothing does.
find_root() {
  if ((EUID == 0)); then
    as_root=()
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  elif command -v sudo >/dev/null && [[ -t 0 ]] && sudo -v; then
    as_root=(sudo)
  else
    return 1
  fi
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
  local line="apt-get install --no-install-recommends $*"
  find_root || fail 4 "Debian packages are missing, and this user is neither root nor may use sudo." \
    "As root, run:" "  $line" "and then this script again."
  say "Installing Debian packages (a minute or two): $*"
  # A third-party source that does not answer must not stop what the others can give.
  logged build/logs/apt-update.log apt_get update || true
  logged build/logs/apt-install.log apt_get install --no-install-recommends "$@" ||
    fail 4 "apt-get could not install them. To try by hand:" "  $line" \
      "(Ubuntu has some of them in its 'universe' part: add-apt-repository universe)"
}

set_up_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "This is not Debian or Ubuntu: going on without a look at packages. Needed are: $*"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
  else
    note "Debian packages: all there"
  fi
}

# Prints the folder of a LibTorch named by CMAKE_PREFIX_PATH; fails if there is none.
users_torch() {
  local prefix inside prefixes=${CMAKE_PREFIX_PATH:-}
  for prefix in ${prefixes//[:;]/ }; do
    for inside in "$prefix" "$prefix/torch"; do
      if [[ -e $inside/include/torch/csrc/api/include/torch/torch.h ]]; then
        echo "$inside"
        return
      fi
    done
  done
  return 1
}

torch_version_in() {
  sed -n '/define TORCH_VERSION[ \\]*$/,/"/ s/.*"\(.*\)".*/\1/p' \
    "$1/include/torch/headeronly/version.h" 2>/dev/null | head -n 1
}

gpu_present() {
  [[ -e /dev/nvidia0 ]] || nvidia-smi -L 2>/dev/null | grep -q '^GPU'
}

has_cpu_set() {
  [[ -e $torch_folder/torch-$torch_version.dist-info/RECORD && -e $torch_folder/torch/lib/libtorch_cpu.so ]] &&
    compgen -G "$torch_folder/nvidia/*/include/crt/host_config.h" >/dev/null
}
has_cuda_set() { has_cpu_set && compgen -G "$torch_folder/nvidia/cudnn/lib/libcudnn.so*" >/dev/null; }

refuse_small_disk() {
  local needed_gb=$1 free_gb
  free_gb=$(($(df --output=avail -k .deps | tail -n 1) / 1000000))
  ((free_gb >= needed_gb)) || fail 4 \
    "$PWD/.deps: $free_gb GB are free on its disk, LibTorch needs $needed_gb GB while it is installed."
}

# The Python that has pip: the first on the PATH, else the system's.
python_with_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  fail 4 "no python3 with pip was found; LibTorch is installed with it (Debian: python3-pip)."
}

# Only C++ libraries are used from the wheel, so any Python's wheel serves where this one has none.
python_tag() {
  case $("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])') in
    3.10 | 3.11 | 3.12 | 3.13 | 3.14) ;;
    *) echo "--python-version=3.12" ;;
  esac
}

# download FOLDER PIP-ARGUMENT...: into a folder beside, moved into place when complete, so that an
# interrupted download never counts. pip's temporary files stay on this disk too.
download() {
  local folder=$1 python tag incoming=.deps/incoming
  shift
  python=$(python_with_pip)
  tag=$(python_tag "$python")
  rm -rf .deps/incoming* .deps/replaced
  mkdir -p "$incoming.tmp"
  TMPDIR=$PWD/$incoming.tmp PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    logged "build/logs/$(basename "$folder").log" "$python" -m pip install --no-input --no-compile --no-cache-dir \
    --only-binary=:all: ${tag:+"$tag"} --target "$incoming" "$@" || return 1
  if [[ -e $folder ]]; then mv "$folder" .deps/replaced; fi
  mv "$incoming" "$folder"
  rm -rf "$incoming.tmp" .deps/replaced
}

# download_torch DISK-GB PIP-ARGUMENT...
download_torch() {
  refuse_small_disk "$1"
  shift
  download "$torch_folder" "$@" ||
    fail 4 "pip could not install LibTorch $torch_version. Is its index reachable from here (a proxy, an" \
      "index of your own: see 'pip config')? A LibTorch that you have already is used if" \
      "CMAKE_PREFIX_PATH names its folder."
}

set_up_torch() {
  local found version
  if found=$(users_torch); then
    version=$(torch_version_in "$found")
    note "LibTorch: ${version:-of unknown version} in $found (CMAKE_PREFIX_PATH)"
    [[ $version == "$torch_version" ]] ||
      say "LibTorch: found ${version:-no version}, written and tested for $torch_version"
    return
  fi
  mkdir -p .deps
  exec 9>.deps/lock
  flock 9
  if ((cuda)) && ! has_cuda_set; then
    say "Installing LibTorch $torch_version with CUDA into $torch_folder (2.5 GB to download," \
      "4.7 GB on disk; 2 to 10 minutes)"
    download_torch 9 "${cuda_set[@]}"
  elif ! has_cpu_set; then
    say "Installing LibTorch $torch_version for CPUs into $torch_folder (0.6 GB to download, 1.3 GB on disk;" \
      "about a minute)"
    download_torch 3 --no-deps "${cpu_set[@]}"
  else
    note "LibTorch: $torch_version in $torch_folder"
  fi
  exec 9>&-
}

# Own CUDA kernels are an extra: without nvcc everything else is built.
set_up_nvcc() {
  if PATH=$PATH:/usr/local/cuda/bin command -v nvcc >/dev/null; then
    note "nvcc: one is there"
    return
  fi
  mkdir -p .deps
  exec 9>.deps/lock
  flock 9
  if [[ -x $nvcc_folder/nvidia/cu13/bin/nvcc ]]; then
    note "nvcc: in $nvcc_folder"
  else
    say "Installing nvcc into $nvcc_folder (0.1 GB to download, 0.3 GB on disk; less than a minute)"
    download "$nvcc_folder" --no-deps "${nvcc_set[@]}" ||
      say "pip could not install nvcc: going on without own CUDA kernels"
  fi
  exec 9>&-
}

# The Python part of LibTorch's wheel is linked against all of CUDA. Libraries without content stand in for
# those of which only the full set has the real ones; their functions are never called.
make_cuda_stand_ins() {
  local folder=$1 libraries=("$torch_folder"/torch/lib/*.so) name version
  mkdir -p "$folder"
  nm -D --undefined-only --format=just-symbols "${libraries[@]}" 2>/dev/null |
    sed -nE 's/^((cu|nccl|nvshmem)[A-Za-z0-9_]*).*/void \1(void) { __builtin_trap(); }/p' | sort -u >"$folder/all.c"
  gcc -w -fno-builtin -fPIC -c "$folder/all.c" -o "$folder/all.o"
  for name in $(readelf -dW "${libraries[@]}" | sed -nE 's/.*NEEDED.*\[(lib(cu|nccl|nvshmem).*)\]/\1/p' | sort -u); do
    # libcuda belongs to the driver, and is only loaded where there is one.
    if [[ $name == libcuda.so.* ]] || compgen -G "$torch_folder/nvidia/*/lib/$name" >/dev/null; then continue; fi
    version=$(readelf -VW "${libraries[@]}" 2>/dev/null | sed -nE "/File: $name /{n;s/.*Name: ([^ ]*).*/\1/p}" | sort -u)
    gcc -shared -nostdlib "$folder/all.o" -o "$folder/$name" -Wl,-soname,"$name" \
      -Wl,--version-script=<(echo "$version {*;};")
  done
  rm "$folder"/all.*
}

# A script beside the packages, so that it finds them and LibTorch wherever the checkout is.
make_readers_python() {
  local python
  python=$("$(python_with_pip)" -c 'import sys; print(sys.executable)')
  cat >"$readers_folder/bin/python.part" <<TEXT
#!/usr/bin/env bash
# Starts Python with the packages beside it and the torch of LibTorch's wheel.
here=\$(cd "\$(dirname "\$(readlink -f "\${BASH_SOURCE[0]}")")/.." && pwd)
export PYTHONPATH=\$here:\$here/../libtorch LD_LIBRARY_PATH=\$here/cuda-stand-ins
exec $python -s "\$@"
TEXT
  chmod +x "$readers_folder/bin/python.part"
  mv "$readers_folder/bin/python.part" "$readers_folder/bin/python"
}

# For tests only: one that finds a reader missing is skipped.
set_up_readers() {
  mkdir -p .deps
  exec 9>.deps/lock
  flock 9
  if [[ -x $readers_folder/bin/python ]]; then
    note "readers: in $readers_folder"
  else
    say "Installing the readers of exported models into $readers_folder (110 MB to download, 0.4 GB on disk;" \
      "less than a minute)"
    if download "$readers_folder" "${readers_set[@]}"; then
      [[ ! -e $torch_folder/torch/lib/libtorch_python.so ]] || make_cuda_stand_ins "$readers_folder/cuda-stand-ins"
      make_readers_python
    else
      say "pip could not install them: the tests of real readers will be skipped"
    fi
  fi
  exec 9>&-
}

cuda=0
nvcc=0
readers=0
list=0
wanted=("${packages[@]}")
for argument in "$@"; do
  case $argument in
    --cuda) cuda=1 ;;
    --nvcc) nvcc=1 ;;
    --readers) readers=1 ;;
    --tests)
      wanted+=("${test_packages[@]}")
      nvcc=1
      readers=1
      ;;
    --quiet) quiet=1 ;;
    --list) list=1 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail 2 "scripts/setup.sh: unknown argument '$argument'" ;;
  esac
done
if ((list)); then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi
if gpu_present; then cuda=1; fi
set_up_packages "${wanted[@]}"
set_up_torch
if ((cuda || nvcc)); then set_up_nvcc; fi
if ((readers)); then set_up_readers; fi
