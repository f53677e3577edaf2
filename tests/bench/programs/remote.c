// remote PRODUCERS SIZE COUNT: as many consumers as producers; each producer takes COUNT blocks of up to SIZE bytes, in
// batches, and a consumer gives them back: every free is one of another thread's block.
#include "queue.h"

static struct queue queue = QUEUE_NEW;
static size_t producers, largest, batches;

static void *work(void *number) {
    size_t self = (size_t)number;
    uint64_t seed = 400 + self;
    struct batch batch;
    for (size_t round = 0; round < batches; round++) {
        if (self < producers) {
            for (int at = 0; at < BATCH; at++) batch.blocks[at] = take(random_between(&seed, 8, largest));
            queue_push(&queue, &batch);
        } else {
            queue_pop(&queue, &batch);
            for (int at = 0; at < BATCH; at++) free(batch.blocks[at]);
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    producers = number(argv, 1);
    largest = number(argv, 2);
    batches = number(argv, 3) / BATCH;
    double started = now();
    in_threads(producers * 2, work);
    finished(started);
    return 0;
}
