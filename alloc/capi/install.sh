#!/bin/sh
# Installs the C library for programs that use jemalloc:
#
#     alloc/capi/install.sh [--built FOLDER] PREFIX
#
# builds it and puts under PREFIX
#
#     lib/libjemalloc.so.2 (and libjemalloc.so, a link to it), libjemalloc.a, libjemalloc_pic.a
#     lib/pkgconfig/jemalloc.pc
#     include/jemalloc/jemalloc.h
#     bin/jemalloc-config, bin/jemalloc.sh
#     bin/jeprof-rs (and jeprof, a link to it)
#
# --built takes the files from a folder of cargo's instead of building, the viewer only if it is there. DESTDIR stands in
# front of PREFIX while files are copied, as with make install.
set -eu

usage() {
    echo "usage: $0 [--built FOLDER] PREFIX" >&2
    exit 2
}

built=
case "${1-}" in
--built)
    [ $# -eq 3 ] || usage
    built=$2
    shift 2
    ;;
esac
[ $# -eq 1 ] || usage
case "$1" in
-* | '') usage ;;
/*) prefix=${1%/} ;;
*) prefix=$PWD/${1%/} ;;
esac
root=${DESTDIR-}$prefix

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "$built" ]; then
    cd "$here/../.."
    # One by one: in one command the viewer's features would become the library's.
    cargo build --release --package jemalloc
    cargo build --release --package jeprof-rs
    built=${CARGO_TARGET_DIR:-target}/release
fi

header=$here/include/jemalloc/jemalloc.h
macro() { sed -n "s/^#define JEMALLOC_$1 \"*\([^\"]*\)\"*\$/\1/p" "$header"; }
version=$(macro VERSION)
numbers=$(macro VERSION_MAJOR).$(macro VERSION_MINOR).$(macro VERSION_BUGFIX)_$(macro VERSION_NREV)

mkdir -p "$root/lib/pkgconfig" "$root/include/jemalloc" "$root/bin"
install -m 755 "$built/libjemalloc.so" "$root/lib/libjemalloc.so.2"
ln -sf libjemalloc.so.2 "$root/lib/libjemalloc.so"
install -m 644 "$built/libjemalloc.a" "$root/lib/libjemalloc.a"
# All of its code is position-independent.
ln -sf libjemalloc.a "$root/lib/libjemalloc_pic.a"
install -m 644 "$header" "$root/include/jemalloc/jemalloc.h"
if [ -f "$built/jeprof-rs" ]; then
    install -m 755 "$built/jeprof-rs" "$root/bin/jeprof-rs"
    ln -sf jeprof-rs "$root/bin/jeprof"
fi

cat >"$root/lib/pkgconfig/jemalloc.pc" <<EOF
prefix=$prefix
exec_prefix=\${prefix}
libdir=\${exec_prefix}/lib
includedir=\${prefix}/include
install_suffix=
jemalloc_prefix=

Name: jemalloc
Description: An allocator with jemalloc's interface and a heap profiler
Version: $numbers
Cflags: -I\${includedir}
Libs: -L\${libdir} -ljemalloc
Libs.private: -pthread -ldl -lm
EOF

cat >"$root/bin/jemalloc.sh" <<EOF
#!/bin/sh
# Runs a program with the library in the place of its own malloc.
LD_PRELOAD='$prefix/lib/libjemalloc.so.2'
export LD_PRELOAD
exec "\$@"
EOF

cat >"$root/bin/jemalloc-config" <<EOF
#!/bin/sh
# Where the library was installed, and how to compile and link with it.
usage() {
    cat <<'END'
usage: jemalloc-config OPTION
  --version     the version of jemalloc whose interface this is
  --revision    the number behind .so.
  --config      how the library was configured (there is nothing to tell)
  --prefix --bindir --datadir --includedir --libdir --mandir
                folders
  --cc --cflags --cppflags --cxxflags
                compiler and its options
  --ldflags --libs
                options of the linker, and libraries that the static library needs
END
}
case "\${1-}" in
--version) echo '$version' ;;
--revision) echo 2 ;;
--config) echo ;;
--prefix) echo '$prefix' ;;
--bindir) echo '$prefix/bin' ;;
--datadir) echo '$prefix/share' ;;
--includedir) echo '$prefix/include' ;;
--libdir) echo '$prefix/lib' ;;
--mandir) echo '$prefix/share/man' ;;
--cc) echo cc ;;
--cflags | --cppflags | --cxxflags) echo '-I$prefix/include' ;;
--ldflags) echo '-L$prefix/lib' ;;
--libs) echo '-pthread -ldl -lm' ;;
--help | -h) usage ;;
*)
    usage >&2
    exit 1
    ;;
esac
EOF
chmod 755 "$root/bin/jemalloc.sh" "$root/bin/jemalloc-config"
echo "installed jemalloc $version under $root"
