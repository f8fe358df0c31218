/*
 * What the targets share. One target is one LLVMFuzzerTestOneInput(): built by clang with
 * -fsanitize=fuzzer-no-link in c_args it searches (tests/fuzz/run), otherwise fuzz_main.c plays the
 * corpus, as a unit test. What must hold is said by fuzz_must(): a false one is a crash.
 */
#ifndef DBGUEST_TESTS_FUZZ_H
#define DBGUEST_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "it does not hold: %s\n", what);
    abort();
}

/* A file in memory with these bytes; close it. path needs 32 bytes. */
static inline int fuzz_file(const void *bytes, size_t size, char *path)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    fuzz_must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "a file in memory can be made");
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

#endif
