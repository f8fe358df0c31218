#include "scanner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "scan.h"

#define SAFE_DIGITS 15 /* so many always fit */
#define NUMBER_MAX 400 /* bytes; more digits than any double has */

void scanner_blame(struct scanner *scanner, int code, const char *message)
{
    if (scanner->out->code != 0)
        return;
    scanner->out->code = code;
    error_set(scanner->err, ERROR_INVALID, "%s", message);
}

/* Whatever else was wrong before: this is no JSON at all. */
bool scanner_stop(struct scanner *scanner, const char *message)
{
    scanner->out->code = 0;
    scanner_blame(scanner, CODE_PARSE, message);
    return error_hint(scanner->err, "at byte %zu of the line",
                      (size_t)(scanner->at - scanner->start) + 1);
}

void scanner_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t' ||
                                          *scanner->at == '\r' || *scanner->at == '\n'))
        scanner->at++;
}

static bool at_digit(const struct scanner *scanner)
{
    return scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9';
}

/* FNV-1a, byte by byte of the text that the string means. */
static void hash_byte(struct scanner *scanner, unsigned char byte)
{
    scanner->hash = (scanner->hash ^ byte) * UINT64_C(0x100000001b3);
}

static void hash_character(struct scanner *scanner, uint32_t code)
{
    if (code < 0x80) {
        hash_byte(scanner, (unsigned char)code);
        return;
    }
    if (code < 0x800) {
        hash_byte(scanner, (unsigned char)(0xc0 | code >> 6));
    } else if (code < 0x10000) {
        hash_byte(scanner, (unsigned char)(0xe0 | code >> 12));
        hash_byte(scanner, (unsigned char)(0x80 | (code >> 6 & 0x3f)));
    } else {
        hash_byte(scanner, (unsigned char)(0xf0 | code >> 18));
        hash_byte(scanner, (unsigned char)(0x80 | (code >> 12 & 0x3f)));
        hash_byte(scanner, (unsigned char)(0x80 | (code >> 6 & 0x3f)));
    }
    hash_byte(scanner, (unsigned char)(0x80 | (code & 0x3f)));
}

/* One character of two bytes and more: no overlong form, no surrogate, none above U+10FFFF. */
static bool scan_utf8(struct scanner *scanner)
{
    const unsigned char *at = (const unsigned char *)scanner->at;
    size_t left = (size_t)(scanner->end - scanner->at);
    size_t more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : 1;
    uint32_t code = at[0] & (0x3fU >> more);
    static const uint32_t smallest[] = { 0, 0x80, 0x800, 0x10000 };

    if (at[0] < 0xc2 || at[0] > 0xf4 || more >= left)
        return scanner_stop(scanner, "the request is not UTF-8");
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return scanner_stop(scanner, "the request is not UTF-8");
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return scanner_stop(scanner, "the request is not UTF-8");

    for (size_t i = 0; i <= more; i++)
        hash_byte(scanner, at[i]);
    scanner->at += more + 1;
    return true;
}

static bool scan_hex(struct scanner *scanner, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, scanner->at++) {
        char byte = scanner_byte(scanner, 0);

        if (byte >= '0' && byte <= '9')
            *code = *code << 4 | (uint32_t)(byte - '0');
        else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
            *code = *code << 4 | (uint32_t)((byte | 0x20) - 'a' + 10);
        else
            return scanner_stop(scanner, "the request is not JSON: \\u wants four hex digits");
    }
    return true;
}

/* After \u. A surrogate must have its other half. */
static bool scan_code(struct scanner *scanner)
{
    uint32_t code = 0;
    uint32_t low = 0;

    if (!scan_hex(scanner, &code))
        return false;
    if (code == 0)
        scanner_blame(scanner, CODE_REQUEST, "a string holds a NUL (\\u0000)");
    if (code >= 0xd800 && code <= 0xdbff && scanner->end - scanner->at >= 6 &&
        scanner->at[0] == '\\' && scanner->at[1] == 'u') {
        scanner->at += 2;
        if (!scan_hex(scanner, &low))
            return false;
        if (low >= 0xdc00 && low <= 0xdfff)
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code >= 0xd800 && code <= 0xdfff)
        scanner_blame(scanner, CODE_REQUEST, "a string holds half of a surrogate pair");
    hash_character(scanner, code);
    return true;
}

static bool scan_escape(struct scanner *scanner)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    char letter = scanner_byte(scanner, 1);
    const char *known = letter != '\0' ? strchr(letters, letter) : NULL;

    scanner->escaped = true;
    if (letter == 'u') {
        scanner->at += 2;
        return scan_code(scanner);
    }
    if (known == NULL)
        return scanner_stop(scanner, "the request is not JSON: an escape that there is not");
    hash_byte(scanner, (unsigned char)meant[known - letters]);
    scanner->at += 2;
    return true;
}

bool scanner_string(struct scanner *scanner)
{
    scanner->hash = UINT64_C(0xcbf29ce484222325);
    scanner->escaped = false;
    scanner->at++;
    while (scanner->at < scanner->end) {
        unsigned char byte = (unsigned char)*scanner->at;

        if (byte == '"') {
            scanner->at++;
            return true;
        }
        if (byte < 0x20)
            return scanner_stop(scanner,
                                "the request is not JSON: a control character in a string");
        if (byte >= 0x80 ? !scan_utf8(scanner) : byte == '\\' && !scan_escape(scanner))
            return false;
        if (byte < 0x80 && byte != '\\') {
            hash_byte(scanner, byte);
            scanner->at++;
        }
    }
    return scanner_stop(scanner, "the request is not JSON: a string without its end");
}

static bool scan_digits(struct scanner *scanner)
{
    if (!at_digit(scanner))
        return scanner_stop(scanner, "the request is not JSON: a number without a digit");
    while (at_digit(scanner))
        scanner->at++;
    return true;
}

/* Whether a long or a double of C can hold it. */
static bool number_fits(const char *bytes, size_t length, bool whole)
{
    char text[NUMBER_MAX + 1];

    if (length > NUMBER_MAX)
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    errno = 0;
    if (!whole)
        return isfinite(strtod(text, NULL));
    (void)strtoll(text, NULL, 10);
    return errno != ERANGE;
}

/* ".5" and "e-7", where they are there: then the number is no whole one. */
static bool scan_fraction(struct scanner *scanner, bool *whole)
{
    if (scanner->at < scanner->end && *scanner->at == '.') {
        *whole = false;
        scanner->at++;
        if (!scan_digits(scanner))
            return false;
    }
    if (scanner->at == scanner->end || (*scanner->at | 0x20) != 'e')
        return true;
    *whole = false;
    scanner->at++;
    if (scanner->at < scanner->end && (*scanner->at == '+' || *scanner->at == '-'))
        scanner->at++;
    return scan_digits(scanner);
}

bool scanner_number(struct scanner *scanner)
{
    const char *from = scanner->at;
    bool whole = true;

    if (*scanner->at == '-')
        scanner->at++;
    const char *digits = scanner->at;
    if (!scan_digits(scanner))
        return false;
    if (*digits == '0' && scanner->at - digits > 1)
        return scanner_stop(scanner, "the request is not JSON: a number that begins with 0");
    if (!scan_fraction(scanner, &whole))
        return false;

    size_t length = (size_t)(scanner->at - from);
    if (length > SAFE_DIGITS || !whole)
        scanner->not_number = !number_fits(from, length, whole);
    return true;
}

bool scanner_word(struct scanner *scanner)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(scanner->end - scanner->at) >= length &&
            memcmp(scanner->at, words[i], length) == 0) {
            scanner->at += length;
            return true;
        }
    }
    return scanner_stop(scanner, "the request is not JSON");
}
