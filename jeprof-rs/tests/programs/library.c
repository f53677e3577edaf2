/* A shared library with a site of its own: it calls back, so that the program's recorder is used. */
static __attribute__((noinline)) void hidden_in_library(void (*recorder)(long)) {
    recorder(3000); /* line: library */
    __asm__ volatile("");
}

void library_site(void (*recorder)(long)) {
    hidden_in_library(recorder);
    __asm__ volatile("");
}
