#!/usr/bin/env bash
# Everything that a machine with a GPU and nvcc can say about CUDA's kernels, without Node: builds attune-tool for that GPU,
# compares every op with its reference and whole steps with the CPU, lets compute-sanitizer watch some families, and times the
# benchmarks. The last line is `N passed, N failed`; where no GPU can be used that is a failure.
# usage: native/tool/check-on-gpu.sh [--sanitize] [OUT_FOLDER]
#   OUT_FOLDER  receives check.txt, sanitizer-TOOL.txt, and bench.json: { machine, rows }; without it nothing is timed
set -u
cd "$(dirname "$0")/../.." || exit 1

sanitize=no
out=
for word in "$@"; do
  case $word in
    --sanitize) sanitize=yes ;;
    -*) echo "Unknown option $word. Known: --sanitize."; exit 2 ;;
    *) out=$word ;;
  esac
done
timed=$out
[ -n "$out" ] || out=$(mktemp -d)
mkdir -p "$out" || exit 1
tool=build-tool-cuda/attune-tool
passed=0
failed=0

result() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}

# stop TEXT: nothing could be compared.
stop() {
  echo "$1"
  failed=$((failed + 1))
  result
}

# counted FILE COMMAND...: adds the counts of its last line; what is not explained by them is a failure.
counted() {
  local file=$1 line status
  shift
  "$@" 2>&1 | tee "$file"
  status=${PIPESTATUS[0]}
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$file" | tail -n 1)
  if [ -n "$line" ]; then
    passed=$((passed + ${line%% passed*}))
    line=${line##*, }
    failed=$((failed + ${line%% failed}))
  fi
  # A sanitizer has an exit code of its own for what it found.
  if [ -z "$line" ] || { [ "$status" -ne 0 ] && [ "${line%% failed}" -eq 0 ]; }; then
    echo "FAILED: $* ended with $status"
    failed=$((failed + 1))
  fi
}

command -v nvidia-smi > /dev/null || stop "No NVIDIA GPU can be used here (there is no nvidia-smi): nothing was compared."
gpu=$(nvidia-smi -L 2>&1) || stop "No NVIDIA GPU can be used here (nvidia-smi: $gpu): nothing was compared."
command -v nvcc > /dev/null || stop "nvcc is not here, which compiles the kernels: nothing was compared."
native/tool/build-with-nvcc.sh || stop "attune-tool was not built: nothing was compared."

counted "$out/check.txt" "$tool" check --isa cuda

# Families with shared memory, warps that exchange, sums over blocks, and memory that is used again.
families=(linear_forward linear_backward_weight rmsnorm head attention sampling decoding weights)
if [ "$sanitize" = yes ]; then
  if command -v compute-sanitizer > /dev/null; then
    for watch in memcheck racecheck initcheck synccheck; do
      echo "compute-sanitizer --tool $watch: ${families[*]}"
      counted "$out/sanitizer-$watch.txt" compute-sanitizer --tool "$watch" --error-exitcode 9 \
        "$tool" check "${families[@]}" --isa cuda
    done
  else
    echo "FAILED: compute-sanitizer is not here: memory, races and barriers were not watched"
    failed=$((failed + 1))
  fi
fi

# machine: what the figures belong to, as a JSON object.
machine() {
  local fields=(name driver_version memory.total compute_cap clocks.max.sm clocks.max.mem power.limit)
  local values i
  IFS=, read -r -a values < <(nvidia-smi --query-gpu="$(IFS=,; echo "${fields[*]}")" --format=csv,noheader | head -n 1)
  printf '{"date":"%s","kernel":"%s"' "$(date -u +%FT%TZ)" "$(uname -sr)"
  for i in "${!fields[@]}"; do
    printf ',"%s":"%s"' "${fields[$i]}" "$(echo "${values[$i]:-}" | sed 's/^ *//; s/[\\"]//g')"
  done
  printf ',"nvcc":"%s"}' "$(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"
}

if [ -n "$timed" ]; then
  : > "$out/rows.txt"
  for name in gemm attention head fused_head rows; do
    echo "bench $name"
    if ! "$tool" bench "$name" --isa cuda >> "$out/rows.txt"; then
      echo "FAILED: the benchmark $name"
      failed=$((failed + 1))
    fi
  done
  printf '{"machine":%s,"rows":[\n%s\n]}\n' "$(machine)" "$(paste -sd, "$out/rows.txt" | sed 's/},{/},\n{/g')" > "$out/bench.json"
  rm "$out/rows.txt"
  echo "times are in $out/bench.json"
fi

result
