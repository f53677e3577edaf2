// larson THREADS COUNT: each thread replaces random ones of its 1000 blocks of 8 to 1000 bytes, then ends and leaves them
// to a thread that goes on with them; COUNT replacements for each of the THREADS, in 50 generations.
#include "bench.h"

enum { LIVE = 1000, GENERATIONS = 50 };
static size_t count;
static void *live[64][LIVE];
static uint64_t seeds[64];

static void *replace(void *number) {
    void **own = live[(size_t)number];
    uint64_t *seed = &seeds[(size_t)number];
    for (size_t at = 0; at < count / GENERATIONS; at++) {
        size_t slot = random_next(seed) % LIVE;
        free(own[slot]);
        own[slot] = take(random_between(seed, 8, 1000));
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    size_t threads = number(argv, 1);
    count = number(argv, 2);
    for (size_t at = 0; at < 64; at++) seeds[at] = 900 + at;
    double started = now();
    for (int generation = 0; generation < GENERATIONS; generation++) in_threads(threads, replace);
    finished(started);
    return 0;
}
