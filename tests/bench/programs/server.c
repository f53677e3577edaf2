// server THREADS COUNT: each thread serves COUNT requests. A request takes a buffer that grows once, three dozen small
// objects that go at its end in reverse order, a session object that stays until another request of any thread takes its
// place, and a response that the next thread gives back.
#include "bench.h"

enum { SESSIONS = 4096, RING = 256, NODES = 36 };
// Calls of malloc, realloc and free that a request makes in the end.
enum { OPERATIONS = 2 * (NODES + 3) + 1 };
static void *sessions[SESSIONS];
static void *responses[MOST_THREADS][RING];
static size_t threads, count;

static void *serve(void *number) {
    size_t self = (size_t)number, next = (self + 1) % threads;
    uint64_t seed = 200 + self;
    void *nodes[NODES];
    for (size_t request = 0; request < count; request++) {
        size_t size = random_between(&seed, 1024, 8192);
        void *buffer = take(size);
        for (int at = 0; at < NODES; at++) nodes[at] = take(random_between(&seed, 16, 256));
        buffer = touched(realloc(buffer, size * 2), size * 2);
        void *session = take(random_between(&seed, 64, 2048));
        free(__atomic_exchange_n(&sessions[random_next(&seed) % SESSIONS], session, __ATOMIC_ACQ_REL));
        void *response = take(random_size(&seed));
        free(__atomic_exchange_n(&responses[next][request % RING], response, __ATOMIC_ACQ_REL));
        free(__atomic_exchange_n(&responses[self][request % RING], NULL, __ATOMIC_ACQ_REL));
        for (int at = NODES; at-- > 0;) free(nodes[at]);
        free(buffer);
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    threads = number(argv, 1);
    count = number(argv, 2);
    double started = now();
    in_threads(threads, serve);
    finished(started);
    char line[64];
    snprintf(line, sizeof line, "operations\t%zu\n", threads * count * OPERATIONS);
    say(line);
    return 0;
}
