// trees COUNT: binary trees of small nodes made by new, one long-lived and COUNT that come and go, and a search tree of
// which random keys are taken out and put in.
#include "bench.h"
#include <memory>
#include <set>

struct Node {
    std::unique_ptr<Node> left, right;
    uint64_t key;
};

static std::unique_ptr<Node> grown(int depth, uint64_t key) {
    auto node = std::make_unique<Node>();
    node->key = key;
    if (depth > 0) {
        node->left = grown(depth - 1, key * 2);
        node->right = grown(depth - 1, key * 2 + 1);
    }
    return node;
}

static uint64_t sum(const Node *node) {
    return node ? node->key + sum(node->left.get()) + sum(node->right.get()) : 0;
}

int main(int argc, char **argv) {
    (void)argc;
    size_t count = number(argv, 1);
    uint64_t seed = 1300, total = 0;
    double started = now();
    auto kept = grown(17, 1);
    std::multiset<uint64_t> keys;
    for (size_t at = 0; at < count; at++) {
        total += sum(grown(12, at).get());
        for (int turn = 0; turn < 1000; turn++) {
            keys.insert(random_next(&seed) % 100000);
            if (keys.size() > 20000) keys.erase(keys.lower_bound(random_next(&seed) % 99000));
        }
    }
    if (total + sum(kept.get()) == 0) fail("no tree");
    finished(started);
    return 0;
}
