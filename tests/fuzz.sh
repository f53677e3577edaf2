#!/usr/bin/env bash
# Fuzzes everything that reads what others wrote: dumps, maps, binaries, compressed streams, answers of servers, the
# symbol cache, strings of options.
#
#   tests/fuzz.sh [SECONDS_PER_TARGET [TARGET...]]        default: 600 seconds, all targets, one after another
#
# A finding is a panic (overflow and failed assertions included), an input that takes longer than FUZZ_TIMEOUT seconds
# (default 2), or more than 1 GiB of memory. Its input is kept, the other targets still run, and the exit status is 1.
# Corpora, findings and logs are in target/fuzz, and are gone on with by the next run; seeds are made from the fixtures.
# Needs a C and a C++ compiler beside Rust; binutils, dwz, xz and zstd make more seeds where they are installed.
# FUZZ_BUILD_ONLY=1 builds the targets and the seeds. To look at a finding:
#   FUZZ_TARGET=elf target/fuzz/bin target/fuzz/findings/elf-crash-...
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seconds=${1:-600}
shift || true
timeout=${FUZZ_TIMEOUT:-2}
target_dir=${CARGO_TARGET_DIR:-$root/target}
out=$target_dir/fuzz
mkdir -p "$out/findings" "$out/logs" "$out/seeds"

# Coverage for libFuzzer by flags of the stable compiler. With --target they do not reach build scripts and macros.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
RUSTFLAGS="$coverage" cargo build --quiet --release --manifest-path tests/fuzz/Cargo.toml \
    --target "$host" --target-dir "$out/build"
bin=$out/bin
cp "$out/build/$host/release/fuzz" "$bin"

# shellcheck source=tests/fuzz/seeds.sh
source tests/fuzz/seeds.sh
# `head` ends pipes early.
(set +o pipefail && make_seeds "$out/seeds")
if [[ -n ${FUZZ_BUILD_ONLY:-} ]]; then exit 0; fi

dictionary() {
    case $1 in
        heap_v2 | text | symbolized | maps | reports | perf_map | symbol_page) echo text ;;
        pprof) echo proto ;;
        elf*) echo elf ;;
        *) echo words ;;
    esac
}

length_max() {
    case $1 in
        elf*) echo 131072 ;;
        unpack | reports | pprof) echo 65536 ;;
        *) echo 16384 ;;
    esac
}

names=("$@")
if ((${#names[@]} == 0)); then mapfile -t names < <("$bin"); fi

scratch=$(mktemp -d "$(if [[ -w /dev/shm ]]; then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi)/jeprof-rs-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# Nothing of the user's own: no cache, no folders with binaries, no servers.
export TMPDIR=$scratch HOME=$scratch JEPROF_RS_CACHE=off
unset PPROF_BINARY_PATH DEBUGINFOD_URLS MALLOC_CONF

status=0
for name in "${names[@]}"; do
    corpus=$out/corpus/$name
    mkdir -p "$corpus" "$out/seeds/$name"
    echo "== $name, $seconds s"
    # libFuzzer's limit of memory looks at the whole process, its corpus included; ours, of what a target holds, is exact.
    if FUZZ_TARGET=$name "$bin" "$corpus" "$out/seeds/$name" \
        -max_total_time="$seconds" -timeout="$timeout" -rss_limit_mb=2048 -max_len="$(length_max "$name")" \
        -dict="tests/fuzz/dictionaries/$(dictionary "$name")" -artifact_prefix="$out/findings/$name-" \
        -reload=0 -print_final_stats=1 -report_slow_units=2 >"$out/logs/$name" 2>&1; then
        grep -E '^stat::(number_of_executed_units|slowest_unit_time_sec|peak_rss_mb)' "$out/logs/$name"
    else
        status=1
        tail -n 25 "$out/logs/$name"
    fi
done
exit "$status"
