// sharing scratch THREADS COUNT: one thread takes a small block for each thread, which gives it back and then takes and
// gives back its own, writing into each many times. sharing thrash THREADS COUNT: each takes its own from the start. An
// allocator that gives blocks of one cache line to two threads makes them slow.
#include "bench.h"

enum { WRITES = 200 };
static size_t count;
static void *handed[64];

static void write_many(volatile char *block) {
    for (int at = 0; at < WRITES; at++) block[at % 8]++;
}

static void *work(void *number) {
    void *block = handed[(size_t)number];
    for (size_t turn = 0; turn < count; turn++) {
        if (!block) block = take(8);
        write_many(block);
        free(block);
        block = NULL;
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    size_t threads = number(argv, 2);
    count = number(argv, 3);
    double started = now();
    for (size_t at = 0; argv[1][0] == 's' && at < threads && at < 64; at++) handed[at] = take(8);
    in_threads(threads, work);
    finished(started);
    return 0;
}
