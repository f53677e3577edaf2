/* A unit of its own: it calls back, so that the program's recorder is used. */
namespace aviary {
static inline __attribute__((always_inline)) void flock(void (*recorder)(long)) {
    recorder(32000); // line: flock
}

__attribute__((noinline)) void migrate(void (*recorder)(long)) {
    flock(recorder); // line: migrate
    __asm__ volatile("");
}
} // namespace aviary
