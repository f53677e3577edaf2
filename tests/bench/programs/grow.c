// grow vectors COUNT: eight vectors grow by half, in turns, from 64 bytes to 2 MiB, COUNT times.
// grow buffer COUNT: one buffer doubles from 4 KiB to 64 MiB, COUNT times. What is new is written.
#include "bench.h"

enum { VECTORS = 8 };

static void vectors(void) {
    char *starts[VECTORS] = {0};
    size_t sizes[VECTORS] = {0};
    for (size_t size = 64; size <= 2 << 20; size += size / 2) {
        for (int at = 0; at < VECTORS; at++) {
            starts[at] = realloc(starts[at], size);
            if (!starts[at]) fail("out of memory");
            memset(starts[at] + sizes[at], 3, size - sizes[at]);
            sizes[at] = size;
        }
    }
    for (int at = 0; at < VECTORS; at++) free(starts[at]);
}

static void buffer(void) {
    char *start = NULL;
    for (size_t size = 4096, old = 0; size <= 64 << 20; old = size, size *= 2) {
        start = realloc(start, size);
        if (!start) fail("out of memory");
        touch_pages(start, old, size);
    }
    free(start);
}

int main(int argc, char **argv) {
    (void)argc;
    size_t count = number(argv, 2);
    double started = now();
    for (size_t at = 0; at < count; at++) argv[1][0] == 'v' ? vectors() : buffer();
    finished(started);
    return 0;
}
