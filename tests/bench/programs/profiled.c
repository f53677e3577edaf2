// profiled MODE ...: what a profiler that samples every allocation costs.
//   depth DEPTH FRAMES COUNT  pairs of malloc and free, at that call depth along 64 paths; tells nanoseconds of one. Of
//                             FRAMES above 1, a function of ours tells so many frames (less 1) in place of the unwinder,
//                             others for each path; with 1, the allocator unwinds.
//   live SIZE COUNT           takes COUNT objects and tells the resident memory
#include "bench.h"

enum { PATHS = 64, DEEPEST = 100 };

int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));

static size_t path, frames;
static void *volatile seen;

static void tell(void **addresses, unsigned *count, unsigned most) {
    unsigned n = frames < most ? frames : most;
    // Addresses within this program, so that they look like code.
    for (unsigned at = 0; at < n; at++) addresses[at] = (char *)tell + at * PATHS + path;
    *count = n;
}

static void deeper(size_t depth);

__attribute__((noinline)) static void leaf(void) {
    void *object = malloc(100);
    seen = object;
    free(object);
}

// Each path calls the four in an order of its own. What follows the call keeps it from being a jump.
#define FUNCTION(name)                                           \
    __attribute__((noinline)) static void name(size_t depth) {   \
        if (depth <= 1) leaf();                                  \
        else deeper(depth - 1);                                  \
        __asm__ volatile("");                                    \
    }
FUNCTION(a) FUNCTION(b) FUNCTION(c) FUNCTION(d)

__attribute__((noinline)) static void deeper(size_t depth) {
    static void (*const all[])(size_t) = {a, b, c, d};
    all[(path >> (depth % 3 * 2)) % 4](depth);
    __asm__ volatile("");
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "live")) {
        size_t size = number(argv, 2), count = number(argv, 3);
        void **objects = take(count * sizeof *objects);
        for (size_t at = 0; at < count; at++) objects[at] = memset(take(size), 1, size);
        seen = objects;
        resident("live");
        return 0;
    }
    if (argc != 5 || strcmp(argv[1], "depth")) fail("depth DEPTH FRAMES COUNT, or live SIZE COUNT");
    size_t depth = number(argv, 2), count = number(argv, 4);
    frames = number(argv, 3) - 1;
    if (frames > DEEPEST) fail("too many frames");
    void (*hook)(void **, unsigned *, unsigned) = tell;
    if (frames && (!mallctl || mallctl("experimental.hooks.prof_backtrace", NULL, NULL, &hook, sizeof hook)))
        fail("the allocator takes no function in place of its unwinder");
    double started = 0;
    // The first rounds make the tables.
    for (size_t at = 0; at < count + 100 * PATHS; at++) {
        if (at == 100 * PATHS) started = now();
        path = at * 2654435761u >> 8 & (PATHS - 1);
        deeper(depth / 2);
    }
    char line[64];
    snprintf(line, sizeof line, "nanoseconds\t%.3f\n", (now() - started) * 1e9 / (double)count);
    say(line);
    return 0;
}
