// threads BLOCKS COUNT: COUNT threads, two at a time; each takes BLOCKS blocks of a program's mix, gives back half of
// them and leaves the others to the thread that comes after it.
#include "bench.h"

enum { MOST = 256 };
static size_t blocks;
static void *left[2][MOST];

static void *live(void *number) {
    size_t self = (size_t)number;
    uint64_t seed = 500 + self;
    for (size_t at = 0; at < blocks; at++) {
        free(left[self][at]);
        left[self][at] = take(random_size(&seed));
    }
    for (size_t at = 0; at < blocks; at += 2) {
        free(left[self][at]);
        left[self][at] = NULL;
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    blocks = number(argv, 1);
    if (blocks > MOST) fail("too many blocks");
    size_t count = number(argv, 2);
    double started = now();
    for (size_t at = 0; at < count; at += 2) in_threads(2, live);
    finished(started);
    return 0;
}
