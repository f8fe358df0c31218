#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "unit.h"
#include "version.h"

#define DIGEST "sha256:9427fe2f3b09aa626e05f9d6fbbe90a73ed45d42fd62921a18578c0cb9ab1db3"

static void assert_same(const char *is, const char *expected)
{
    if (expected == NULL)
        assert_null(is);
    else
        assert_string_equal(is, expected);
}

static void test_each_form_is_understood(void **unused)
{
    static const struct {
        const char *text;
        const char *place;
        const char *tag;
        const char *digest;
        enum version_source_kind kind;
    } forms[] = {
        { "apt:bookworm", "bookworm", NULL, NULL, VERSION_SOURCE_APT },
        { "apt:bookworm,bookworm-security", "bookworm,bookworm-security", NULL, NULL,
          VERSION_SOURCE_APT },
        { "oci:/srv/layout:v1", "/srv/layout", "v1", NULL, VERSION_SOURCE_OCI },
        { "oci:/srv/layout@" DIGEST, "/srv/layout", NULL, DIGEST, VERSION_SOURCE_OCI },
        { "oci:docker://host:5000/redis:8", "docker://host:5000/redis:8", NULL, NULL,
          VERSION_SOURCE_OCI },
        { "oci:docker://host/a/redis@" DIGEST, "docker://host/a/redis@" DIGEST, NULL, DIGEST,
          VERSION_SOURCE_OCI },
        { "dir:/srv/a b:c", "/srv/a b:c", NULL, NULL, VERSION_SOURCE_DIR },
        { "bundle:/srv/a.dbguest", "/srv/a.dbguest", NULL, NULL, VERSION_SOURCE_BUNDLE },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct version_source source = { 0 };
        struct error err = { 0 };
        assert_true(version_source_parse(forms[i].text, &source, &err));
        assert_int_equal(source.kind, forms[i].kind);
        assert_string_equal(source.text, forms[i].text);
        assert_same(source.place, forms[i].place);
        assert_same(source.tag, forms[i].tag);
        assert_same(source.digest, forms[i].digest);
        version_source_done(&source);
    }
}

static void test_anything_else_is_invalid_and_the_forms_are_the_hint(void **unused)
{
    static const char *const texts[] = {
        "",
        "apt:",
        "apt:bookworm,",
        "apt:,bookworm",
        "apt:-o",
        "apt:a b",
        "apt:$(id)",
        "oci:",
        "oci:layout:v1",
        "oci:/srv/layout",
        "oci:/srv/layout:",
        "oci:/srv/lay:out:v1",
        "oci:/srv/layout@sha256:12",
        "oci:docker://host",
        "oci:docker://host:5000/redis",
        "oci:docker://host/redis:",
        "oci:docker://host/redis@sha256:12",
        "oci:docker://host/redis:8 --help",
        "dir:srv",
        "dir:",
        "bundle:a",
        "ftp://host/",
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct version_source source = { 0 };
        struct error err = { 0 };
        assert_false(version_source_parse(texts[i], &source, &err));
        assert_int_equal(err.reason, ERROR_INVALID);
        assert_non_null(strstr(err.hint, "apt:SUITE"));
        assert_null(source.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_form_is_understood),
        cmocka_unit_test(test_anything_else_is_invalid_and_the_forms_are_the_hint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
