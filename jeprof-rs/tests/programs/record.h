/* A program that writes a heap profile of itself, whose true stacks can be read in its source. */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>

#define STACKS_MAX 64
#define DEPTH_MAX 64

static void *stacks[STACKS_MAX][DEPTH_MAX];
static int depths[STACKS_MAX];
static long stack_bytes[STACKS_MAX];
static int stack_count;

/* Notes the caller's stack as one live object of this many bytes. */
static __attribute__((noinline)) void record(long bytes) {
    void *found[DEPTH_MAX + 1];
    int depth = backtrace(found, DEPTH_MAX + 1) - 1;
    for (int i = 0; i < depth; i++) stacks[stack_count][i] = found[i + 1];
    depths[stack_count] = depth;
    stack_bytes[stack_count++] = bytes;
    __asm__ volatile("" ::: "memory");
}

/* jemalloc's form with a sampling distance of 1, so that figures are what they are. */
static void write_dump(const char *path) {
    FILE *out = fopen(path, "w"), *maps = fopen("/proc/self/maps", "r");
    if (!out || !maps) abort();
    fprintf(out, "heap_v2/1\n  t*: 0: 0 [0: 0]\n");
    for (int i = 0; i < stack_count; i++) {
        /* Readers take the leaf as it is and lower the others by one; here the leaf is a return address too. */
        fprintf(out, "@ 0x%lx", (unsigned long)stacks[i][0] - 1);
        for (int frame = 1; frame < depths[i]; frame++) fprintf(out, " 0x%lx", (unsigned long)stacks[i][frame]);
        fprintf(out, "\n  t*: 1: %ld [0: 0]\n", stack_bytes[i]);
    }
    fprintf(out, "\nMAPPED_LIBRARIES:\n");
    for (int c; (c = fgetc(maps)) != EOF;) fputc(c, out);
    fclose(maps);
    if (fclose(out)) abort();
}
