// What the programs of the benchmark set share: a random sequence with a fixed seed, sizes as programs ask for them, the
// clock, and the lines that the command reads. Nothing here allocates.
#pragma once
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t random_next(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// From `low` to `high`, both included.
static inline size_t random_between(uint64_t *state, size_t low, size_t high) {
    return low + random_next(state) % (high - low + 1);
}

// Mostly below 128 bytes, some kilobytes, now and then more.
static inline size_t random_size(uint64_t *state) {
    uint64_t kind = random_next(state) % 100;
    if (kind < 60) return random_between(state, 8, 127);
    if (kind < 90) return random_between(state, 128, 1023);
    if (kind < 99) return random_between(state, 1024, 16 << 10);
    return random_between(state, 16 << 10, 112 << 10);
}

static inline void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    _exit(1);
}

// Checks a block and writes its first and last byte.
static inline void *touched(void *block, size_t size) {
    if (!block) fail("out of memory");
    volatile char *bytes = (volatile char *)block;
    bytes[0] = 1;
    bytes[size - 1] = 1;
    return block;
}

static inline void *take(size_t size) { return touched(malloc(size), size); }

// Writes one byte of each page.
static inline void touch_pages(void *block, size_t from, size_t to) {
    volatile char *bytes = (volatile char *)block;
    for (size_t at = from; at < to; at += 4096) bytes[at] = 1;
}

static inline double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static inline void say(const char *text) {
    if (write(1, text, strlen(text)) < 0) _exit(1);
}

// Tells the time since `started` as the program's own.
static inline void finished(double started) {
    char line[64];
    snprintf(line, sizeof line, "seconds\t%.6f\n", now() - started);
    say(line);
}

// Tells the resident memory of this moment.
static inline void resident(const char *stage) {
    char text[256] = {0}, line[320];
    int file = open("/proc/self/statm", O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0) fail("/proc/self/statm cannot be read");
    close(file);
    unsigned long total, pages;
    if (sscanf(text, "%lu %lu", &total, &pages) != 2) fail("/proc/self/statm is not understood");
    snprintf(line, sizeof line, "rss\t%s\t%lu\n", stage, pages * (unsigned long)sysconf(_SC_PAGESIZE));
    say(line);
}

static inline size_t number(char **arguments, int at) {
    char *end = NULL;
    size_t value = arguments[at] ? strtoul(arguments[at], &end, 10) : 0;
    if (!value || *end) fail("an argument is missing or no number");
    return value;
}

enum { MOST_THREADS = 128 };

// Runs `body` in `count` threads at once, each with its number, and waits for them.
static inline void in_threads(size_t count, void *(*body)(void *)) {
    pthread_t threads[MOST_THREADS];
    if (count > MOST_THREADS) fail("too many threads");
    for (size_t at = 0; at < count; at++)
        if (pthread_create(&threads[at], NULL, body, (void *)at)) fail("no thread");
    for (size_t at = 0; at < count; at++) pthread_join(threads[at], NULL);
}
