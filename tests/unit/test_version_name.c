#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "unit.h"
#include "version.h"

#define DIGEST "sha256:3f9c1d52aa"

static const char *const redis_names[] = { "redis", "redis-server", NULL };

/* As dpkg writes it, with what must not mislead: other packages, removed ones, another order. */
static const char status[] = "Package: libc6\n"
                             "Status: install ok installed\n"
                             "Version: 2.36-9+deb12u14\n"
                             "Description: C\n"
                             " Version: 9.9\n"
                             "\n"
                             "Package: redis-sentinel\n"
                             "Status: deinstall ok config-files\n"
                             "Version: 5:7.0.15-1~deb12u1\n"
                             "\n"
                             "Package: redis-tools\n"
                             "Status: install ok installed\n"
                             "Source: redis\n"
                             "Version: 5:7.0.15-1~deb12u7\n"
                             "\n"
                             "Package: redis-server\n"
                             "Version: 5:7.0.15-1~deb12u7+b1\n"
                             "Status: install ok installed\n";

static void test_name_is_upstream_and_build(void **unused)
{
    static const struct {
        const char *debian;
        const char *name;
    } names[] = {
        { "15.18-0+deb12u1", "15.18+deb12u1" },
        { "5:7.0.15-1~deb12u7", "7.0.15+deb12u7" },
        { "1:10.11.18-0+deb12u1", "10.11.18+deb12u1" },
        { "5:8.0.2-3+deb13u1", "8.0.2+deb13u1" },
        { "9.7.4-1", "9.7.4+1" },
        { "9.7.4-1+b1", "9.7.4+1+b1" },
        { "17.2-1.pgdg120+1", "17.2+1.pgdg120+1" },
        { "8.1.1+dfsg1-3", "8.1.1+dfsg1+3" },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autofree char *name = version_name_of_debian(names[i].debian);
        assert_string_equal(name, names[i].name);
    }
}

static void test_debian_version_without_revision_names_no_build(void **unused)
{
    (void)unused;
    assert_null(version_name_of_debian("15"));
    assert_null(version_name_of_debian("1:15.18-"));
    assert_null(version_name_of_debian("-1"));
}

static void test_package_of_the_engine_names_the_version(void **unused)
{
    autofree char *name = version_name(status, redis_names, "7.0.15", DIGEST);

    (void)unused;
    assert_string_equal(name, "7.0.15+deb12u7+b1");
}

static void test_package_of_another_version_does_not_count(void **unused)
{
    autofree char *longer = version_name(status, redis_names, "7.0.1", DIGEST);
    autofree char *shorter = version_name(status, redis_names, "7.0.15.2", DIGEST);

    (void)unused;
    assert_string_equal(longer, "7.0.1+3f9c1d52");
    assert_string_equal(shorter, "7.0.15.2+3f9c1d52");
}

static void test_third_partys_package_counts_by_its_name(void **unused)
{
    static const char third[] = "Package: postgresql-client-17\n"
                                "Status: install ok installed\n"
                                "Version: 17.2-1.pgdg120+1\n"
                                "\n"
                                "Package: postgresql\n"
                                "Status: install ok installed\n"
                                "Version: 17+267.pgdg120+1\n";
    static const char *const names[] = { "postgresql", "postgresql", NULL };
    autofree char *name = version_name(third, names, "17.2", DIGEST);

    (void)unused;
    assert_string_equal(name, "17.2+1.pgdg120+1");
}

static void test_packages_alone_name_the_version_before_an_engine_is_asked(void **unused)
{
    static const char listed[] = "Package: libpq5\n"
                                 "Status: install ok installed\n"
                                 "Version: 15.20-0+deb12u1\n"
                                 "\n"
                                 "Package: postgresql-15\n"
                                 "Status: install ok installed\n"
                                 "Version: 15.20-0+deb12u1\n"
                                 "\n"
                                 "Package: postgresql\n"
                                 "Status: install ok installed\n"
                                 "Version: 15+248\n";
    static const char *const names[] = { "postgresql", "postgresql", NULL };
    autofree char *name = version_name(listed, names, NULL, NULL);

    (void)unused;
    assert_string_equal(name, "15.20+deb12u1");
    assert_null(version_name("", names, NULL, NULL));
    assert_null(version_name(NULL, names, NULL, NULL));
}

static void test_tree_without_packages_is_named_by_its_digest(void **unused)
{
    autofree char *name = version_name(NULL, redis_names, "7.2.4", DIGEST);

    (void)unused;
    assert_string_equal(name, "7.2.4+3f9c1d52");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_is_upstream_and_build),
        cmocka_unit_test(test_debian_version_without_revision_names_no_build),
        cmocka_unit_test(test_package_of_the_engine_names_the_version),
        cmocka_unit_test(test_package_of_another_version_does_not_count),
        cmocka_unit_test(test_third_partys_package_counts_by_its_name),
        cmocka_unit_test(test_packages_alone_name_the_version_before_an_engine_is_asked),
        cmocka_unit_test(test_tree_without_packages_is_named_by_its_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
