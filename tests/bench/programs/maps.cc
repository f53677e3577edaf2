// maps THREADS COUNT: each thread fills, looks up, copies and empties a hash map and a tree of strings, COUNT words.
#include "bench.h"
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

static size_t count;

static std::string word(uint64_t *seed) {
    return std::string(random_between(seed, 4, 40), 'a' + random_next(seed) % 26) +
           std::to_string(random_next(seed) % 20000);
}

static void *work(void *number) {
    uint64_t seed = 1200 + (size_t)number;
    std::unordered_map<std::string, std::vector<std::string>> hashed;
    std::map<std::string, std::string> tree;
    for (size_t at = 0; at < count; at++) {
        std::string key = word(&seed), value = word(&seed);
        hashed[key.substr(0, 6)].push_back(value);
        tree[value] = std::move(key);
        if (at % 8 == 0) {
            auto found = tree.lower_bound(word(&seed));
            if (found != tree.end()) tree.erase(found);
        }
        if (at % 20000 == 19999) {
            std::map<std::string, std::string> copy = tree;
            tree.swap(copy);
            hashed.clear();
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    count = number(argv, 2);
    double started = now();
    in_threads(number(argv, 1), work);
    finished(started);
    return 0;
}
