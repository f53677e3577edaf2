// Starts, allocates once, ends: what an allocator costs a program that hardly uses it.
#include "bench.h"

int main(void) {
    free(take(100));
    resident("nothing");
    return 0;
}
