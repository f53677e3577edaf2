// pairs LOW HIGH COUNT: one block at a time, given back at once; COUNT times for each size from LOW to HIGH in half
// octaves. Only the first and the last byte of a block are written.
#include "bench.h"

static void pairs(size_t size, size_t count) {
    for (size_t at = 0; at < count; at++) free(take(size));
}

int main(int argc, char **argv) {
    (void)argc;
    size_t low = number(argv, 1), high = number(argv, 2), count = number(argv, 3);
    double started = now();
    for (size_t size = low; size <= high; size *= 2) {
        pairs(size, count);
        if (size + size / 2 <= high) pairs(size + size / 2, count);
    }
    finished(started);
    return 0;
}
