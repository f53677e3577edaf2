// flavours calloc COUNT: cleared blocks of a program's mix. flavours aligned COUNT: blocks aligned to 16 bytes up to a
// page. 256 blocks are live; the oldest goes.
#include "bench.h"

enum { LIVE = 256 };

static void *cleared(uint64_t *seed) {
    size_t size = random_size(seed);
    return touched(calloc(1, size), size);
}

static void *aligned(uint64_t *seed) {
    size_t alignment = (size_t)16 << random_next(seed) % 9, size = random_size(seed);
    void *block = NULL;
    if (posix_memalign(&block, alignment, size)) fail("out of memory");
    return touched(block, size);
}

int main(int argc, char **argv) {
    (void)argc;
    static void *live[LIVE];
    void *(*flavour)(uint64_t *) = argv[1][0] == 'c' ? cleared : aligned;
    size_t count = number(argv, 2);
    uint64_t seed = 600;
    double started = now();
    for (size_t at = 0; at < count; at++) {
        free(live[at % LIVE]);
        live[at % LIVE] = flavour(&seed);
    }
    finished(started);
    return 0;
}
