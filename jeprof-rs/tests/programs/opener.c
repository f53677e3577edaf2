/* Opens a library while it runs: opener LIBRARY DUMP. */
#include "record.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
    void *library = dlopen(argv[argc - 2], RTLD_NOW);
    if (!library) abort();
    void (*site)(void (*)(long)) = (void (*)(void (*)(long)))dlsym(library, "library_site");
    if (!site) abort();
    site(record);
    write_dump(argv[argc - 1]);
    return 0;
}
