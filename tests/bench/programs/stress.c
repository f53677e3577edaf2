// stress THREADS COUNT: generations of threads; each takes, keeps, gives back and exchanges with the others blocks whose
// sizes are powers of two, small ones far more often than large ones, and some of many kilobytes; COUNT steps in all
// generations together, for each thread.
#include "bench.h"

enum { SHARED = 1000, GENERATIONS = 20, KEPT = 3000 };
static void *shared[SHARED];
static size_t count;

static size_t stress_size(uint64_t *seed) {
    uint64_t bits = random_next(seed);
    if (bits % 1000 == 0) return (size_t)16384 << (bits >> 20) % 4;
    return (size_t)8 << __builtin_ctzll((bits >> 20) | 1u << 10);
}

static void *live(void *number) {
    uint64_t seed = 1000 + (size_t)number;
    void **kept = calloc(KEPT, sizeof *kept);
    if (!kept) fail("out of memory");
    for (size_t step = 0; step < count / GENERATIONS; step++) {
        size_t slot = random_next(&seed) % KEPT;
        if (random_next(&seed) % 2) {
            free(kept[slot]);
            kept[slot] = take(stress_size(&seed));
        } else {
            void **other = &shared[random_next(&seed) % SHARED];
            kept[slot] = __atomic_exchange_n(other, kept[slot], __ATOMIC_ACQ_REL);
        }
    }
    for (size_t slot = 0; slot < KEPT; slot++) free(kept[slot]);
    free(kept);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    size_t threads = number(argv, 1);
    count = number(argv, 2);
    double started = now();
    for (int generation = 0; generation < GENERATIONS; generation++) in_threads(threads, live);
    finished(started);
    return 0;
}
