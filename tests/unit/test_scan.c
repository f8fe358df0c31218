/* What the scanner lets through to json-c, and what it finds on the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "scan.h"
#include "text.h"
#include "unit.h"

#define DEPTH 64

static int scan(const char *text, struct scan *out)
{
    struct error err = { 0 };

    scan_request(text, strlen(text), DEPTH, out, &err);
    error_clear(&err);
    return out->code;
}

static void assert_code(const char *text, int code)
{
    struct scan out;

    if (scan(text, &out) != code)
        fail_msg("%s: %d, not %d", text, out.code, code);
}

static void assert_span(const struct span *span, const char *text)
{
    assert_non_null(span->bytes);
    assert_int_equal(span->length, strlen(text));
    assert_memory_equal(span->bytes, text, strlen(text));
}

static void test_members_are_found_as_they_stand(void **unused)
{
    struct scan out;

    (void)unused;
    assert_int_equal(
        scan(" {\"params\" : {\"a\":[1,{\"id\":2}]},\"id\":\"x\\u0041\",\"method\":\"a.b\","
             "\"jsonrpc\":\"2.0\"}\r",
             &out),
        0);
    assert_span(&out.id, "\"x\\u0041\"");
    assert_span(&out.method, "a.b");
    assert_span(&out.params, "{\"a\":[1,{\"id\":2}]}");
}

static void test_every_legal_id_keeps_its_bytes(void **unused)
{
    static const char *const ids[] = { "1",    "-0",   "18446744073709551616", "1e999", "1.50",
                                       "null", "\"\"", "\"\\ud83d\\ude00\"" };

    (void)unused;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        char text[256];
        struct scan out;

        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":%s}", ids[i]);
        assert_int_equal(scan(text, &out), 0);
        assert_span(&out.id, ids[i]);
    }
}

static void test_illegal_ids_and_members_are_bad_requests(void **unused)
{
    (void)unused;
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":[]}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":true}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"1.0\",\"method\":\"m\"}", CODE_REQUEST);
    assert_code("{\"method\":\"m\"}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"2.0\"}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":7}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"parms\":{}}", CODE_REQUEST);
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1]}", CODE_PARAMS);
    assert_code("[{\"jsonrpc\":\"2.0\",\"method\":\"m\"}]", CODE_REQUEST);
}

static void test_what_is_no_json_is_refused(void **unused)
{
    static const char *const texts[] = {
        "",
        "hello",
        "{",
        "{}x",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "\"x\"",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{'a'}",
        "nul",
        "{\"a\":nul}",
        "{\"a\":NaN}",
        "{\"a\":\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":[1 2]}",
        "{\"a\":[1,]}",
        "{\"a\":1]",
        "{/**/}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_code(texts[i], CODE_PARSE);
}

static void test_only_utf8_is_text(void **unused)
{
    static const char *const bad[] = { "\x80",         "\xc0\xaf",         "\xc3",
                                       "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\xaf",
                                       "\xff",         "\xf0\x9f\x98" };

    (void)unused;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":\"%s\"}}", bad[i]);
        assert_code(text, CODE_PARSE);
    }
    assert_code(
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":\"\xf0\x9f\x98\x80 \xc3\xa9\"}}",
        0);
}

static void test_what_json_c_lets_through_is_refused_with_its_id(void **unused)
{
    static const char *const params[] = {
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00x\"}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\":[{\"\xc3\xa9\":1,\"b\":2,\"\\u00e9\":3}]}",
        "{\"a\":9223372036854775808}",
        "{\"a\":18446744073709551616}",
        "{\"a\":-9223372036854775809}",
        "{\"a\":1e400}",
        "{\"a\":[-1e999]}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++) {
        char text[256];
        struct scan out;

        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":%s,\"id\":\"late\"}", params[i]);
        if (scan(text, &out) != CODE_REQUEST)
            fail_msg("%s: %d", params[i], out.code);
        assert_span(&out.id, "\"late\"");
    }
}

static void test_numbers_at_the_edge_are_taken(void **unused)
{
    (void)unused;
    assert_code("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":9223372036854775807,"
                "\"b\":-9223372036854775808,\"c\":1.7e308,\"d\":-0.0,\"e\":0}}",
                0);
}

static void test_two_ids_are_no_id(void **unused)
{
    assert_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"m\"}", CODE_REQUEST);
    (void)unused;
}

/* Brackets inside of params, which is a bracket deeper itself. */
static int scan_nested(size_t brackets)
{
    autotext struct text text = { 0 };
    struct scan out;

    text_add(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"a\":");
    for (size_t i = 0; i < 2 * brackets; i++)
        text_add(&text, i < brackets ? "[" : "]");
    text_add(&text, "}}");
    return scan(text.bytes, &out);
}

static void test_depth_has_a_limit(void **unused)
{
    (void)unused;
    assert_int_equal(scan_nested(DEPTH - 2), 0);
    assert_int_equal(scan_nested(DEPTH - 1), CODE_REQUEST);
    assert_int_equal(scan_nested(10000), CODE_REQUEST);
}

static void test_many_members_are_compared_in_no_time(void **unused)
{
    size_t count = 50000;
    char *text = malloc(count * 16 + 100);
    size_t at = (size_t)sprintf(text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{");
    struct scan out;

    (void)unused;
    for (size_t i = 0; i < count; i++)
        at += (size_t)sprintf(text + at, "\"n%zu\":1,", i);
    sprintf(text + at, "\"last\":1}}");
    assert_int_equal(scan(text, &out), 0);
    sprintf(text + at, "\"n777\":1}}");
    assert_int_equal(scan(text, &out), CODE_REQUEST);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_found_as_they_stand),
        cmocka_unit_test(test_every_legal_id_keeps_its_bytes),
        cmocka_unit_test(test_illegal_ids_and_members_are_bad_requests),
        cmocka_unit_test(test_what_is_no_json_is_refused),
        cmocka_unit_test(test_only_utf8_is_text),
        cmocka_unit_test(test_what_json_c_lets_through_is_refused_with_its_id),
        cmocka_unit_test(test_numbers_at_the_edge_are_taken),
        cmocka_unit_test(test_two_ids_are_no_id),
        cmocka_unit_test(test_depth_has_a_limit),
        cmocka_unit_test(test_many_members_are_compared_in_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
