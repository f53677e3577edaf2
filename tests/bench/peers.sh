#!/usr/bin/env bash
# peers.sh FOLDER: makes the allocators that the benchmark set compares with, as shared libraries in FOLDER, and prints a
# line for each: name, version, and the library's path, or `-` and the reason why it cannot be had. What FOLDER holds
# already is kept. Nothing is tuned: each is built for its package's release build (-O3, without assertions), with its
# defaults for everything else. Needs cargo, a C compiler, clang++ or g++, and for tcmalloc Debian's
# libtcmalloc-minimal4. C jemalloc is not here: tests/src/reference.rs builds it with its own configure.
set -uo pipefail

out=${1:?which folder?}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
unset LD_PRELOAD MALLOC_CONF

row() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}"; }

# The sources lie in packages; their folders by name, as cargo tells them.
metadata=$(cargo metadata --format-version=1 --manifest-path "$here/peers/Cargo.toml" --no-default-features 2>"$out/cargo.log")
folder_of() {
    grep -o "\"manifest_path\":\"[^\"]*/$1-[0-9][^\"/]*/Cargo.toml\"" <<<"$metadata" | head -1 | sed 's/.*:"//; s|/Cargo.toml"$||'
}

# make NAME PACKAGE VERSION COMMAND...: the command builds the library at the path that follows its words.
make() {
    local name=$1 package=$2 version=$3
    shift 3
    local library="$out/$name-$version.so" log="$out/$name.log"
    if [[ ! -e $library ]]; then
        if [[ -z $package ]]; then
            row "$name" "$version" - "its sources cannot be had (see $out/cargo.log)"
            return
        fi
        # Built aside and renamed, so that half a library is never taken for a whole one.
        if ! "$@" -o "$library.part" >"$log" 2>&1; then
            row "$name" "$version" - "the build failed (see $log)"
            return
        fi
        mv "$library.part" "$library"
    fi
    row "$name" "$version" "$library"
}

mimalloc=$(folder_of libmimalloc-sys)
sources=$mimalloc/c_src/mimalloc/v3
# The header tells 30302 for 3.3.2.
digits=$(sed -n 's/^#define MI_MALLOC_VERSION *\([0-9]*\).*/\1/p' "$sources/include/mimalloc.h" 2>/dev/null)
version=${digits:+$((digits / 10000)).$((digits / 100 % 100)).$((digits % 100))}
make mimalloc "$mimalloc" "${version:-3}" cc -std=gnu11 -O3 -DNDEBUG -DMI_BUILD_RELEASE -DMI_MALLOC_OVERRIDE \
    -DMI_SHARED_LIB -DMI_SHARED_LIB_EXPORT -fPIC -fvisibility=hidden -fno-builtin-malloc -ftls-model=initial-exec \
    -I"$sources/include" -shared "$sources/src/static.c" -lpthread

snmalloc=$(folder_of snmalloc-sys)
cxx=$(command -v clang++ || command -v g++)
# The definitions that its CMakeLists.txt finds out for Linux with glibc.
make snmalloc "$snmalloc" "${snmalloc##*-}" "$cxx" -std=c++20 -O3 -DNDEBUG -fPIC -mcx16 -mprfchw \
    -ftls-model=initial-exec -fvisibility=hidden -fomit-frame-pointer -ffunction-sections -fno-rtti \
    -DSNMALLOC_USE_CXX11_THREAD_ATEXIT_DIRECT '-DSNMALLOC_EXPORT=__attribute__((visibility("default")))' \
    -DSNMALLOC_USE_WAIT_ON_ADDRESS=1 -DSNMALLOC_CHECK_LOADS=false -DSNMALLOC_PAGEID=false -DSNMALLOC_NO_REALLOCARRAY \
    -DSNMALLOC_NO_REALLOCARR -DMALLOC_USABLE_SIZE_QUALIFIER= -DSNMALLOC_PTHREAD_ATFORK_WORKS \
    -DSNMALLOC_HAS_LINUX_FUTEX_H -DSNMALLOC_HAS_LINUX_RANDOM_H -DSNMALLOC_PLATFORM_HAS_GETENTROPY \
    -I"$snmalloc/upstream/src" -shared "$snmalloc/upstream/src/snmalloc/override/malloc.cc" \
    "$snmalloc/upstream/src/snmalloc/override/new.cc" -static-libstdc++ -lpthread

rpmalloc=$(folder_of rpmalloc-sys)
version=$(sed -n '1s/[[:space:]]*$//p' "$rpmalloc/rpmalloc/CHANGELOG" 2>/dev/null)
make rpmalloc "$rpmalloc" "${version:-unknown}" cc -std=c11 -O3 -DNDEBUG -D_GNU_SOURCE=1 -DENABLE_PRELOAD=1 \
    -DENABLE_OVERRIDE=1 -w -fPIC -fomit-frame-pointer -shared "$rpmalloc/rpmalloc/rpmalloc/rpmalloc.c" -lpthread

tcmalloc=$(ldconfig -p | awk '$1 == "libtcmalloc_minimal.so.4" { print $NF; exit }')
if [[ -n $tcmalloc ]]; then
    version=$(dpkg-query -W -f '${source:Upstream-Version}' libtcmalloc-minimal4 2>/dev/null)
    row tcmalloc "${version:-unknown}" "$tcmalloc"
else
    row tcmalloc - - "package libtcmalloc-minimal4 is not installed"
fi
