// frag COUNT [IDLE]: COUNT blocks of a program's mix, filled; a random 75 % of them are given back; new ones of other
// sizes come in their place, as much as a fifth of the first; everything is given back. With IDLE, it then does nothing
// for that many milliseconds, and then a little for two seconds. Resident memory is told after each stage.
#include "bench.h"

static void little(void) {
    uint64_t seed = 9;
    for (int turn = 0; turn < 20; turn++) {
        void *blocks[100];
        for (int at = 0; at < 100; at++) blocks[at] = take(random_between(&seed, 16, 2000));
        for (int at = 0; at < 100; at++) free(blocks[at]);
        usleep(100000);
    }
}

int main(int argc, char **argv) {
    size_t count = number(argv, 1);
    uint64_t seed = 800;
    double started = now();
    char **live = malloc(count * sizeof *live);
    if (!live) fail("out of memory");
    size_t bytes = 0, fresh = 0;
    for (size_t at = 0; at < count; at++) {
        size_t size = random_size(&seed);
        live[at] = take(size);
        memset(live[at], 1, size);
        bytes += size;
    }
    resident("fill");
    for (size_t at = 0; at < count; at++) {
        if (random_next(&seed) % 4) {
            free(live[at]);
            live[at] = NULL;
        }
    }
    resident("free75");
    for (size_t at = 0; at < count && fresh < bytes / 5; at++) {
        if (live[at]) continue;
        size_t size = random_size(&seed) * 3 / 2 + 40;
        live[at] = take(size);
        memset(live[at], 1, size);
        fresh += size;
    }
    resident("refill");
    for (size_t at = 0; at < count; at++) free(live[at]);
    free(live);
    resident("allfree");
    finished(started);
    if (argc > 2) {
        say("idle\n");
        usleep(number(argv, 2) * 1000);
        resident("idle");
        little();
        resident("awake");
    }
    return 0;
}
