# Seeds of the fuzz targets, made from the fixtures and from a small program. Sourced by tests/fuzz.sh.

has() { command -v "$1" >/dev/null; }

# little BYTES NUMBER: the number, little-endian.
little() {
    local bytes=$1 number=$2 i
    for ((i = 0; i < bytes; i++)); do
        # shellcheck disable=SC2059
        printf "\\x$(printf %02x $(((number >> (8 * i)) & 255)))"
    done
}

# pair KIND FIRST SECOND: two files as the target elf_split wants them.
pair() {
    little 1 "$1"
    little 3 "$(stat -c %s "$2")"
    cat "$2" "$3"
}

make_seeds() {
    local seeds=$1 dumps=$PWD/fixtures/dumps name
    rm -rf "$seeds"
    for name in heap_v2 text pprof symbolized maps elf elf_split reports unpack cache_file statistics perf_map \
        symbol_page addresses names conf tag_filter; do
        mkdir -p "$seeds/$name"
    done
    seeds_of_dumps "$seeds" "$dumps"
    seeds_of_binaries "$seeds"
    seeds_of_words "$seeds"
}

# Large files find little and cost much: the first stacks, and the maps.
shortened() { awk -v max="${2:-60}" 'NR <= max || /^MAPPED_LIBRARIES/ { print; maps = maps || /^MAPPED/ ; next } maps && kept++ < 6' "$1"; }

seeds_of_dumps() {
    local seeds=$1 dumps=$2 file name
    for file in "$dumps"/*.heap; do
        name=$(basename "$file")
        if head -n 1 "$file" | grep -q '^heap_v2'; then
            shortened "$file" >"$seeds/heap_v2/$name"
        else
            shortened "$file" >"$seeds/text/$name"
        fi
        sed -n '/^MAPPED_LIBRARIES/,$p' "$file" | head -n 40 >"$seeds/maps/$name"
        {
            printf -- '--- symbol\nbinary=/opt/demo/app\n0x000055f508eca010 main\n0x55f508eca020 a--b\n---\n--- heap\n'
            shortened "$file" 40
        } >"$seeds/symbolized/$name"
        shortened "$file" >"$seeds/symbolized/plain-$name"
        for manner in 0 1 2 3 4 5 6; do
            { little 1 $manner; shortened "$file" 30; } >"$seeds/reports/$manner-$name"
            { little 1 $manner; cat "$seeds/symbolized/$name"; } >"$seeds/reports/$manner-symbolized-$name"
        done
        gzip -c "$file" | head -c 60000 >"$seeds/unpack/$name.gz"
        shortened "$file" 10 | gzip -c >"$seeds/unpack/whole-$name.gz"
        if has xz; then shortened "$file" 10 | xz -c >"$seeds/unpack/$name.xz"; fi
        if has zstd; then shortened "$file" 10 | zstd -c -q >"$seeds/unpack/$name.zst"; fi
    done
    cat >"$seeds/maps/forms" <<'MAPS'
MAPPED_LIBRARIES:
build=/srv/out
55f508e00000-55f508f00000 r-xp 00001000 fe:00 10305553                   /opt/demo/app
55f508f00000-55f509000000 r-xp 00101000 fe:00 10305553                   /opt/demo/app
0x40000000-0x40015000: /lib/ld-2.3.2.so
1000-2000: $build/app
1000-2000 r-xp /x/y (@f000) abcdef
0x800600000 0x80061a000 26 0 0xfffff800035a0000 r-x 75 33 0x1004 COW NC vnode /libexec/ld elf.so.1 NCH -1
3000-4000 r-xp 00000000 08:01 7 /a b (deleted)
MAPS
    for file in "$dumps"/*.pb; do
        name=$(basename "$file")
        head -c 65536 "$file" >"$seeds/pprof/$name"
        if gzip -t "$file" 2>/dev/null; then gzip -dc "$file" | head -c 60000 >"$seeds/pprof/plain-$name"; fi
        for manner in 0 1 2 4; do { little 1 $manner; head -c 60000 "$file"; } >"$seeds/reports/$manner-$name"; done
    done
}

seeds_of_binaries() {
    local seeds=$1 work name
    work=$(mktemp -d)
    cp tests/fuzz/seed.c tests/fuzz/seed.rs "$work"
    (
        cd "$work"
        # Without padding between the pages, so that most bytes mean something.
        link=(-nostdlib -shared -Wl,-z,noseparate-code -Wl,-z,norelro)
        build() { cc "${link[@]}" -fPIC -Wl,--build-id "$@" 2>/dev/null; }
        for version in 2 3 4 5; do build -O2 -g -gdwarf-$version seed.c -o "c-$version" || true; done
        build -O0 -g seed.c -o c-plain
        build -O2 -g -gdwarf-4 -fdebug-types-section seed.c -o c-types || true
        build -O2 -g1 seed.c -o c-lines || true
        build -O2 seed.c -o c-symbols
        build -O2 -s seed.c -o c-stripped
        build -O2 -g -gz=zlib seed.c -o c-zlib || true
        build -O2 -g -gz=zstd seed.c -o c-zstd || true
        build -O2 -g -gz=zlib-gnu seed.c -o c-zlib-gnu || true
        cc -O2 -g -c seed.c -o c-object
        rustc --crate-type=lib --emit=obj -Cpanic=abort -Cdebuginfo=2 -Copt-level=2 seed.rs -o seed.o &&
            cc "${link[@]}" seed.o -o rust
        rustc --crate-type=lib --emit=obj -Cpanic=abort -Cdebuginfo=1 -Copt-level=0 seed.rs -o seed1.o &&
            cc "${link[@]}" seed1.o -o rust-lines
        if has objcopy; then
            objcopy --only-keep-debug c-5 c-5.debug
            objcopy --strip-debug --add-gnu-debuglink=c-5.debug c-5 c-5.bare
            pair 0 c-5.bare c-5.debug >pair-debug
            objcopy --compress-debug-sections=zlib rust rust-zlib
            objcopy --compress-debug-sections=zstd rust rust-zstd || true
        fi
        # LLVM 14's llvm-dwp was seen to run for ever on this.
        if build -O2 -g -gdwarf-5 -gsplit-dwarf seed.c -o c-split && has llvm-dwp && timeout 60 llvm-dwp -e c-split -o c-split.dwp; then
            pair 2 c-split c-split.dwp >pair-package
        fi
        if build -O2 -g -gdwarf-4 -gsplit-dwarf seed.c -o c-split4 && has dwp && dwp -e c-split4 -o c-split4.dwp; then
            pair 2 c-split4 c-split4.dwp >pair-package4
        fi
        if has dwz; then
            cp c-4 x1
            cp rust x2
            cp c-4 x3
            if dwz -m shared x1 x2 x3; then pair 1 x1 shared >pair-shared; fi
        fi
        if has xz && has objcopy; then
            objcopy -S --remove-section=.text c-symbols mini 2>/dev/null || cp c-symbols mini
            xz -c c-symbols >mini.xz
            objcopy --add-section .gnu_debugdata=mini.xz c-stripped c-mini
        fi
    ) >/dev/null 2>&1 || echo "some seeds of binaries could not be made" >&2
    for name in "$work"/{c-*,rust*}; do
        case $name in *.dwo | *.dwp | *.debug) continue ;; esac
        if [[ $(stat -c %s "$name") -lt 131072 ]]; then cp "$name" "$seeds/elf/"; fi
    done
    for name in "$work"/pair-*; do
        if [[ -f $name ]]; then cp "$name" "$seeds/elf_split/"; fi
    done
    rm -rf "$work"
}

seeds_of_words() {
    local seeds=$1
    # A file of the cache: one address with one line in one function, three texts.
    {
        printf jeprofrs
        little 4 1; little 4 0; little 8 0
        little 4 2; little 4 2; little 4 2; little 4 1; little 4 3; little 4 8; little 4 0
        printf id
        little 8 16; little 8 32
        little 4 1; little 4 2
        little 4 0; little 4 2; little 4 7; little 4 1
        little 4 0; little 4 2; little 4 8; little 4 1
        little 4 0; little 4 1; little 4 2; little 4 5
        little 4 0; little 4 4; little 4 8
        printf name/a.c
    } >"$seeds/cache_file/one"
    printf '{"jemalloc":{"arenas":{"page":4096},"stats":{"allocated":10,"active":20,"metadata":3,"resident":40,"mapped":50,"retained":6},"stats.arenas":{"merged":{"pdirty":2,"pmuzzy":1,"tcache_bytes":5}}}}' >"$seeds/statistics/one"
    printf '7f00 10 old one\n0x7f20 0x10 other\n7f00 8 LazyCompile:~new /a.js:1\n' >"$seeds/perf_map/one"
    printf 'num_symbols: 1\n0x000000000000001a\tmain\n0x2b  outer--inner \r\n---\n' >"$seeds/symbol_page/one"
    printf 'https://user:pass@host.example:8080/pprof/heap?seconds=3#x\n../other?a=b' >"$seeds/addresses/one"
    printf '[::1]:80\n//other/x' >"$seeds/addresses/two"
    local names=(_ZN3foo3barEv _ZNSt6vectorIiSaIiEE9push_backERKi _ZN4core3fmt5write17h0123456789abcdefE
        _RNvNtCs1234_7mycrate3foo3bar _RINvNtC3std3mem8align_ofjdE 'foo.constprop.0' _ZNK1AIXadL_Z1fvEEE1gEv
        _RNvMs_Cs4fqI2P2rA04_13const_genericINtB4_8UnsignedKhb_E1f)
    local index
    for index in "${!names[@]}"; do printf %s "${names[$index]}" >"$seeds/names/$index"; done
    local texts=('prof:true,lg_prof_sample:19,prof_final:true' 'MALLOC_CONF="narenas:1,dirty_decay_ms:5s" ./svc'
        'je_malloc_conf = "background_thread:true";' 'tcache:flase,prof:tru' 'stats_print_opts:J,,a:')
    for index in "${!texts[@]}"; do printf %s "${texts[$index]}" >"$seeds/conf/$index"; done
    local filters=('key=1kb:2mb' 'a,b.*' '10ms:' ':5' 'key=(x|y){2}')
    for index in "${!filters[@]}"; do printf %s "${filters[$index]}" >"$seeds/tag_filter/$index"; done
}
