// A bounded queue of batches between threads: a mutex and two conditions, as most programs have it.
#pragma once
#include "bench.h"

enum { DEPTH = 16, BATCH = 256 };

struct batch {
    void *blocks[BATCH];
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct batch places[DEPTH];
    size_t pushed, popped;
};

#define QUEUE_NEW {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .emptied = PTHREAD_COND_INITIALIZER}

static inline void queue_push(struct queue *queue, const struct batch *batch) {
    pthread_mutex_lock(&queue->lock);
    while (queue->pushed - queue->popped == DEPTH) pthread_cond_wait(&queue->emptied, &queue->lock);
    queue->places[queue->pushed++ % DEPTH] = *batch;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

static inline void queue_pop(struct queue *queue, struct batch *batch) {
    pthread_mutex_lock(&queue->lock);
    while (queue->pushed == queue->popped) pthread_cond_wait(&queue->filled, &queue->lock);
    *batch = queue->places[queue->popped++ % DEPTH];
    pthread_cond_signal(&queue->emptied);
    pthread_mutex_unlock(&queue->lock);
}
