/* What the seeds are compiled from: inlined calls, a loop, a static function, a structure, several lines. */
struct node { struct node *next; unsigned long value; };

static inline __attribute__((always_inline)) unsigned long sum(const struct node *node) {
    unsigned long total = 0;
    for (; node; node = node->next) {
        unsigned long twice = node->value * 2;
        total += twice;
    }
    return total;
}

static __attribute__((noinline)) unsigned long walk(const struct node *node, int depth) {
    if (depth == 0) return sum(node);
    return walk(node, depth - 1) + sum(node->next);
}

__attribute__((cold)) int failed(const struct node *node) { return node == 0 ? -1 : (int)node->value; }

unsigned long entry(const struct node *node) {
    if (!node) return failed(node);
    return walk(node, 3) + sum(node);
}
