// cache COUNT: a cache of 64 MiB that lives long; COUNT entries come in each of four seasons, whose sizes differ, and
// random old ones go until there is room. Entries are filled. Resident memory is told after each season.
#include "bench.h"

enum { SLOTS = 1 << 18 };
static const size_t budget = 64 << 20;
static const struct {
    size_t low, high;
    const char *name;
} seasons[] = {{200, 1000, "season1"}, {1000, 6000, "season2"}, {400, 1600, "season3"}, {100, 24000, "season4"}};

static char *entries[SLOTS];
static size_t sizes[SLOTS];

int main(int argc, char **argv) {
    (void)argc;
    size_t count = number(argv, 1), used = 0;
    uint64_t seed = 1100;
    double started = now();
    for (size_t season = 0; season < sizeof seasons / sizeof *seasons; season++) {
        for (size_t at = 0; at < count; at++) {
            size_t size = random_between(&seed, seasons[season].low, seasons[season].high);
            size_t slot = random_next(&seed) % SLOTS;
            while (entries[slot] || used + size > budget) {
                free(entries[slot]);
                entries[slot] = NULL;
                used -= sizes[slot];
                sizes[slot] = 0;
                if (used + size > budget) slot = random_next(&seed) % SLOTS;
            }
            entries[slot] = take(size);
            memset(entries[slot], 1, size);
            sizes[slot] = size;
            used += size;
        }
        resident(seasons[season].name);
    }
    finished(started);
    return 0;
}
