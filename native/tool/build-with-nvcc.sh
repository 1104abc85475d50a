#!/usr/bin/env bash
# Builds attune-tool with CUDA's kernels for this machine's GPU, in build-tool-cuda: needs nvcc and its host compiler alone, neither
# Node nor CMake. Then:
#   build-tool-cuda/attune-tool check --isa cuda             every op beside its reference, whole steps beside the CPU
#   build-tool-cuda/attune-tool bench gemm --isa cuda        JSON lines; also attention, head, fused_head, rows
#   compute-sanitizer build-tool-cuda/attune-tool check ...  memcheck, racecheck, initcheck, synccheck
# usage: native/tool/build-with-nvcc.sh [ARCH]     such as 80 or 90a; without it the GPU is asked
set -eu
cd "$(dirname "$0")/../.."

arch=${1:-}
if [ -z "$arch" ]; then
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
  if [ "$arch" = 90 ]; then arch=90a; fi
fi
folder=build-tool-cuda
mkdir -p "$folder"
rm -f "$folder"/*.o  # of sources that are no longer there

# list KEY: the entries of that list of sources.json, one to a line.
list() {
  awk -v key="\"$1\":" '$1 == key { on = 1; next } on && /\]/ { exit } on { gsub(/[",]/, ""); print $1 }' native/sources.json
}

# jobs COMPILER FLAGS SOURCES: one command line for each source.
jobs() {
  for source in $3; do
    echo "$1 $2 -Inative -c $source -o $folder/$(echo "$source" | tr / -).o"
  done
}

host="${CXX:-g++} -std=gnu++20 -DATTUNE_GPU"
{
  jobs "nvcc" "-std=c++20 -O3 --expt-relaxed-constexpr -gencode=arch=compute_$arch,code=sm_$arch" "$(list cuda) $(list cuda_runtime)"
  jobs "$host" "-O2" "$(list cuda_host) $(list tool)"
  for group in core scalar avx2 avx512 avx512bf16; do
    jobs "$host" "$(list ${group}_flags | tr '\n' ' ')" "$(list "$group")"
  done
} | xargs -P "$(nproc)" -I{} sh -c '{} || { echo "failed: {}"; exit 255; }'
nvcc -cudart=static -o "$folder/attune-tool" "$folder"/*.o -lpthread -ldl
echo "$folder/attune-tool, for compute capability $arch"
