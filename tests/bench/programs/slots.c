// slots THREADS SLOTS COUNT: each thread keeps SLOTS blocks of a program's mix of sizes and replaces a random one,
// COUNT times.
#include "bench.h"

static size_t slots, count;

static void *replace(void *thread) {
    uint64_t seed = 100 + (size_t)thread;
    void **live = calloc(slots, sizeof *live);
    if (!live) fail("out of memory");
    for (size_t at = 0; at < slots; at++) live[at] = take(random_size(&seed));
    for (size_t at = 0; at < count; at++) {
        size_t slot = random_next(&seed) % slots;
        free(live[slot]);
        live[slot] = take(random_size(&seed));
    }
    for (size_t at = 0; at < slots; at++) free(live[at]);
    free(live);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    slots = number(argv, 2);
    count = number(argv, 3);
    double started = now();
    in_threads(number(argv, 1), replace);
    finished(started);
    return 0;
}
