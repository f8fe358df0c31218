#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "hash.h"
#include "unit.h"

#define COUNT 200

static void test_hash_of_mariadb_is_the_servers_own(void **unused)
{
    autofree char *hash = hash_native("123456");

    (void)unused;
    assert_string_equal(hash, "*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9");
}

/* Each is of the password at its place, and all salts differ. */
static void test_many_are_as_one_by_one(void **unused)
{
    static char passwords[COUNT][16];
    const char *each[COUNT] = { NULL };

    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(passwords[i], sizeof(passwords[i]), "secret-%zu", i);
        each[i] = i % 7 == 3 ? NULL : passwords[i];
    }
    char **hashes = hash_all(hash_caching_sha2, each, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        char salt[21] = "";

        if (each[i] == NULL) {
            assert_null(hashes[i]);
            continue;
        }
        memcpy(salt, hashes[i] + strlen("$A$005$"), sizeof(salt) - 1);
        autofree char *again = hash_caching_sha2_salted(each[i], salt);
        assert_string_equal(hashes[i], again);
        assert_true(i == 0 || hashes[i - 1] == NULL || strcmp(hashes[i], hashes[i - 1]) != 0);
    }
    hash_free_all(hashes, COUNT);
}

static void test_none_are_none(void **unused)
{
    char **hashes = hash_all(hash_native, NULL, 0);

    (void)unused;
    assert_non_null(hashes);
    hash_free_all(hashes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_of_mariadb_is_the_servers_own),
        cmocka_unit_test(test_many_are_as_one_by_one),
        cmocka_unit_test(test_none_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
