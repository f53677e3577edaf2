#include "record.h"

static __attribute__((noinline)) void direct_site(void) {
    record(1000); /* line: direct */
    __asm__ volatile("");
}

static inline __attribute__((always_inline)) void inlined_site(void) {
    record(2000); /* line: inlined */
}

static __attribute__((noinline)) void outer_site(void) {
    inlined_site(); /* line: outer */
    __asm__ volatile("");
}

static __attribute__((noinline)) void recursive_site(int depth) {
    if (depth == 0)
        record(4000); /* line: bottom */
    else
        recursive_site(depth - 1); /* line: again */
    __asm__ volatile("");
}

/* A function of the program with an allocator's name: frames from here to the leaf are the allocator's. */
__attribute__((noinline)) void *je_malloc(long size) {
    record(size);
    __asm__ volatile("");
    return 0;
}

static __attribute__((noinline)) void allocating_site(void) {
    je_malloc(8000); /* line: allocating */
    __asm__ volatile("");
}

int main(int argc, char **argv) {
    direct_site();
    outer_site();
    recursive_site(3);
    allocating_site();
    write_dump(argv[argc - 1]);
    return 0;
}
