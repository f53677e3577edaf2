// single WHAT SIZE COUNT: one operation by itself, COUNT times.
//   pair     malloc(SIZE) and free in turns
//   foreign  one thread takes THOUSAND objects of SIZE bytes, another gives them back; in turns, COUNT batches
//   start    threads one after the other that take and give back one object; with SIZE 0 they do nothing
//   first    the same of both kinds in turns, on one processor: the time of the first allocation is the difference of
//            their medians
// foreign and first tell nanoseconds of one operation.
#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>

enum { THOUSAND = 1000, MOST = 20000 };

static void tell(double nanoseconds) {
    char line[64];
    snprintf(line, sizeof line, "nanoseconds\t%.3f\n", nanoseconds);
    say(line);
}

static size_t size, count;

static void pairs(void) {
    for (size_t at = 0; at < count; at++) free(malloc(size));
}

static void *objects[THOUSAND];
static pthread_barrier_t both;

// The first thread takes between two barriers, the second gives back between the next two.
static void *hand_over(void *number) {
    double spent = 0;
    for (size_t round = 0; round < count; round++) {
        if (number == NULL)
            for (int at = 0; at < THOUSAND; at++) objects[at] = take(size);
        pthread_barrier_wait(&both);
        if (number != NULL) {
            double started = now();
            for (int at = 0; at < THOUSAND; at++) free(objects[at]);
            spent += now() - started;
        }
        pthread_barrier_wait(&both);
    }
    if (number != NULL) tell(spent * 1e9 / ((double)count * THOUSAND));
    return NULL;
}

static void foreign(void) {
    pthread_barrier_init(&both, NULL, 2);
    in_threads(2, hand_over);
}

static void *allocate(void *argument) {
    free(take(size));
    return argument;
}

static void *nothing(void *argument) { return argument; }

static void started_and_ended(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL)) fail("no thread");
    pthread_join(thread, NULL);
}

static int by_value(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

// Where a thread starts on another processor than the one that waits for it, it takes two or three times as long, and which
// of both happens changes from one stretch of time to the next: the difference of two medians would tell of that alone.
static void stay_here(void) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    if (sched_setaffinity(0, sizeof here, &here)) fail("no processor of its own");
}

static void first(void) {
    stay_here();
    static double with[MOST], without[MOST];
    if (count > MOST) fail("too many threads");
    for (size_t at = 0; at < count; at++) {
        double begun = now();
        started_and_ended(allocate);
        double middle = now();
        started_and_ended(nothing);
        with[at] = middle - begun;
        without[at] = now() - middle;
    }
    qsort(with, count, sizeof *with, by_value);
    qsort(without, count, sizeof *without, by_value);
    tell((with[count / 2] - without[count / 2]) * 1e9);
}

int main(int argc, char **argv) {
    if (argc != 4) fail("WHAT SIZE COUNT");
    size = strtoul(argv[2], NULL, 10);
    count = number(argv, 3);
    if (!strcmp(argv[1], "pair")) pairs();
    else if (!strcmp(argv[1], "foreign")) foreign();
    else if (!strcmp(argv[1], "first")) first();
    else if (!strcmp(argv[1], "start"))
        for (size_t at = 0; at < count; at++) started_and_ended(size ? allocate : nothing);
    else fail("what?");
    return 0;
}
