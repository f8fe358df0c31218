/*
 * cmocka with what it needs before it, and a folder for the tests that write.
 */
#ifndef DBGUEST_TESTS_UNIT_H
#define DBGUEST_TESTS_UNIT_H

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>

#include "error.h"
#include "file.h"

/* As setup and teardown of a group: *state is the path of an empty folder, removed at the end. */
static inline int unit_make_folder(void **state)
{
    static char folder[] = "/tmp/dbguest-unit-XXXXXX";

    *state = mkdtemp(folder);
    return *state != NULL ? 0 : -1;
}

static inline int unit_remove_folder(void **state)
{
    struct error err = { 0 };

    return file_remove_tree(*state, &err) ? 0 : -1;
}

#endif
