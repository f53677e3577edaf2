#include "record.h"
#include <utility>

namespace aviary {
void migrate(void (*recorder)(long));

template <typename Egg> struct Nest {
    __attribute__((noinline)) void lay(Egg) {
        record(1000); // line: lay
        __asm__ volatile("");
    }
    __attribute__((always_inline)) inline void warm() {
        record(2000); // line: warm
    }
};

__attribute__((noinline)) void roost() {
    Nest<std::pair<int, long>> nest;
    nest.warm(); // line: roost
    __asm__ volatile("");
}

struct Bird {
    virtual void sing() = 0;
};

struct Wren : Bird {
    __attribute__((noinline)) Wren() {
        record(16000); // line: constructor
        __asm__ volatile("");
    }
    __attribute__((noinline)) void sing() override {
        record(4000); // line: sing
        __asm__ volatile("");
    }
};
} // namespace aviary

int main(int argc, char **argv) {
    aviary::Nest<int> nest;
    nest.lay(argc);   // line: main lay
    aviary::roost();  // line: main roost
    aviary::Wren wren; // line: main constructor
    aviary::Bird *bird = &wren;
    __asm__ volatile("" : "+r"(bird));
    bird->sing(); // line: main sing
    auto act = [] __attribute__((noinline)) {
        record(8000); // line: lambda
        __asm__ volatile("");
    };
    act();                   // line: main lambda
    aviary::migrate(record); // line: main migrate
    write_dump(argv[argc - 1]);
    return 0;
}
