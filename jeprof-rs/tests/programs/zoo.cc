#include "record.h"
#include <vector>

namespace zoo {
template <typename Animal> struct Cage {
    __attribute__((noinline)) void feed(Animal, int) const {
        record(1000);
        __asm__ volatile("");
    }
    bool operator<(const Cage &) const {
        record(2000);
        __asm__ volatile("");
        return false;
    }
};

__attribute__((noinline)) void open(const std::vector<int> &) {
    record(4000);
    __asm__ volatile("");
}
} // namespace zoo

int main(int argc, char **argv) {
    zoo::Cage<unsigned long> cage;
    cage.feed(1, 2);
    (void)(cage < cage);
    zoo::open({});
    write_dump(argv[argc - 1]);
    return 0;
}
