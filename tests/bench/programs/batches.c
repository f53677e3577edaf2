// batches ORDER COUNT: a thousand blocks of one size are taken and given back in the order of their taking (fifo), in
// reverse (lifo) or in a random one (random). The size changes from batch to batch, 16 bytes to 8 KiB.
#include "bench.h"

enum { BATCH = 1000 };

int main(int argc, char **argv) {
    (void)argc;
    static void *blocks[BATCH];
    static unsigned order[BATCH];
    static const size_t sizes[] = {16, 48, 64, 100, 256, 600, 1024, 2500, 8192};
    size_t batches = number(argv, 2) / BATCH;
    uint64_t seed = 1;
    for (unsigned at = 0; at < BATCH; at++) order[at] = argv[1][0] == 'l' ? BATCH - 1 - at : at;
    if (argv[1][0] == 'r') {
        for (unsigned at = BATCH - 1; at > 0; at--) {
            unsigned other = random_between(&seed, 0, at), kept = order[at];
            order[at] = order[other];
            order[other] = kept;
        }
    }
    double started = now();
    for (size_t batch = 0; batch < batches; batch++) {
        size_t size = sizes[batch % (sizeof sizes / sizeof *sizes)];
        for (unsigned at = 0; at < BATCH; at++) blocks[at] = take(size);
        for (unsigned at = 0; at < BATCH; at++) free(blocks[order[at]]);
    }
    finished(started);
    return 0;
}
