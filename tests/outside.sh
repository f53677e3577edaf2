#!/usr/bin/env bash
# The tests against programs from outside: installs those programs (Debian packages) and runs the group, in release.
# A program that is missing afterwards makes its tests fail; none is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    libjemalloc-dev  # jeprof, and the C library as a reference
    curl             # what jeprof fetches with
    golang-go        # go tool pprof
    binutils         # what both call for symbols; gold, dwp, strip
    redis-server     # redis-server, and redis-benchmark in redis-tools
    redis-tools
    libjemalloc2     # 5.3.0, beside which ours is compared; 5.3.1 is built from source
    bind9            # named, which asks for libjemalloc.so.2
    dnsperf
    postgresql
    default-jdk-headless
    make             # builds 5.3.1
    sqlite3
    git
    gcc
    g++
    python3
    python3-venv
    valgrind
    gdb              # reads the static probes
    dwz              # debug files that share a part
    elfutils         # eu-strip, eu-elfcompress
    lld              # a linker of another kind
    llvm             # llvm-dwp
    xz-utils
    groff            # checks the manual page
    zsh              # run their completion scripts
    fish
    graphviz         # what draws --gif and --ps
    libxml2-utils    # xmllint, which holds XML against a schema
    musl-tools       # musl-gcc, for static programs
    protobuf-compiler # protoc --decode, for profile.proto and OpenTelemetry's files
)
# With npm: speedscope's importer and the Firefox Profiler's own reader. Its makers' Node is newer than Debian's.
command -v npm >/dev/null || packages+=(nodejs npm)

missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
if ((${#missing[@]})); then
    as_root=()
    if ((EUID != 0)); then as_root=(sudo); fi
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update --quiet
    "${as_root[@]}" env RUNLEVEL=1 apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
fi

# The standard library for static programs.
rustup target add "$(uname -m)-unknown-linux-musl"

# The parser of OpenMetrics text, and what holds JSON against a schema, in an environment of their own.
openmetrics=target/openmetrics
if ! "$openmetrics/bin/python3" -c 'import prometheus_client.openmetrics.parser, jsonschema' 2>/dev/null; then
    python3 -m venv "$openmetrics"
    "$openmetrics/bin/pip" install --quiet prometheus_client==0.21.1 jsonschema==4.23.0
fi

# The tests themselves gain nothing from being optimized as a whole; what they test is built with settings of its own.
export CARGO_PROFILE_RELEASE_LTO=off
cargo test --release -p suite --features outside --test 'outside*' -- --test-threads=2 "$@"
