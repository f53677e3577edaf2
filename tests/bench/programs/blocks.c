// blocks LOW HIGH LIVE COUNT: LIVE blocks of LOW to HIGH bytes; COUNT times a random one is replaced, and all pages of
// the new one are written.
#include "bench.h"

int main(int argc, char **argv) {
    (void)argc;
    size_t low = number(argv, 1), high = number(argv, 2), slots = number(argv, 3), count = number(argv, 4);
    void *live[1024] = {0};
    if (slots > 1024) fail("too many blocks");
    uint64_t seed = 700;
    double started = now();
    for (size_t at = 0; at < count; at++) {
        size_t slot = random_next(&seed) % slots, size = random_between(&seed, low, high);
        free(live[slot]);
        live[slot] = take(size);
        touch_pages(live[slot], 0, size);
    }
    finished(started);
    return 0;
}
