// uniform THREADS COUNT: random sizes up to 1000 bytes; each thread replaces a random one of 10,000 blocks, COUNT times,
// and fills what it takes.
#include "bench.h"

enum { LIVE = 10000 };
static size_t count;

static void *replace(void *thread) {
    uint64_t seed = 300 + (size_t)thread;
    void **live = calloc(LIVE, sizeof *live);
    if (!live) fail("out of memory");
    for (size_t at = 0; at < count; at++) {
        size_t slot = random_next(&seed) % LIVE, size = random_between(&seed, 1, 1000);
        free(live[slot]);
        live[slot] = take(size);
        memset(live[slot], 7, size);
    }
    for (size_t at = 0; at < LIVE; at++) free(live[at]);
    free(live);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    count = number(argv, 2);
    double started = now();
    in_threads(number(argv, 1), replace);
    finished(started);
    return 0;
}
