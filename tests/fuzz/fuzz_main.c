/* Plays the files of a folder, the corpus, to a target. */
#include "fuzz.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "log.h"
#include "memory.h"

int main(int argc, char **argv)
{
    struct error err = { 0 };
    char **names = argc == 2 ? file_names(argv[1], &err) : NULL;

    fuzz_must(names != NULL && names[0] != NULL, "there is a corpus");
    for (char **name = names; *name != NULL; name++) {
        autofree char *path = xasprintf("%s/%s", argv[1], *name);
        size_t size = 0;
        autofree char *bytes = file_read(path, &size, &err);

        fuzz_must(bytes != NULL, path);
        LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
        printf("%s\n", *name);
    }
    file_free_names(names);
    return 0;
}
