#include "record.h"

void library_site(void (*recorder)(long));

int main(int argc, char **argv) {
    library_site(record);
    write_dump(argv[argc - 1]);
    return 0;
}
