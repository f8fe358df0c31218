#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "memory.h"

#define FIRST_ROOM 256
#define GROUP_LENGTH 4

/* Room for that many bytes more and a NUL. */
static void make_room(struct text *text, size_t more)
{
    size_t needed = 0;

    if (__builtin_add_overflow(text->length, more, &needed) || needed > SIZE_MAX / 4)
        abort();
    if (needed < text->room)
        return;

    size_t room = text->room > 0 ? text->room : FIRST_ROOM;
    while (room <= needed)
        room *= 2;
    text->bytes = xrealloc(text->bytes, room);
    text->room = room;
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    make_room(text, length);
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    autofree char *string = xvasprintf(format, arguments);
    va_end(arguments);
    text_add(text, string);
}

void text_pad(struct text *text, const char *string, size_t characters)
{
    size_t count = 0;

    text_add(text, string);
    for (; *string != '\0'; string++)
        count += ((unsigned char)*string & 0xc0) != 0x80;
    for (; count < characters; count++)
        text_add(text, " ");
}

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){ 0 };
}

/*
 * Bytes of a character by its first byte, with the limits of the second, which rule out overlong
 * forms, surrogates and what is beyond U+10FFFF (Unicode, table 3-7).
 */
struct lead {
    size_t bytes;
    unsigned char first;
    unsigned char last;
    unsigned char second_min;
    unsigned char second_max;
};

static const struct lead leads[] = {
    { 1, 0x00, 0x7f, 0, 0 },       { 2, 0xc2, 0xdf, 0x80, 0xbf }, { 3, 0xe0, 0xe0, 0xa0, 0xbf },
    { 3, 0xe1, 0xec, 0x80, 0xbf }, { 3, 0xed, 0xed, 0x80, 0x9f }, { 3, 0xee, 0xef, 0x80, 0xbf },
    { 4, 0xf0, 0xf0, 0x90, 0xbf }, { 4, 0xf1, 0xf3, 0x80, 0xbf }, { 4, 0xf4, 0xf4, 0x80, 0x8f },
};

static const struct lead *lead_of(unsigned char byte)
{
    for (size_t i = 0; i < ARRAY_SIZE(leads); i++)
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    return NULL;
}

/* How many of the bytes at `at` are one character; 0 when they are none. */
static size_t character_bytes(const unsigned char *at, size_t left)
{
    const struct lead *lead = lead_of(at[0]);

    if (lead == NULL || lead->bytes > left)
        return 0;
    if (lead->bytes > 1 && (at[1] < lead->second_min || at[1] > lead->second_max))
        return 0;
    for (size_t i = 2; i < lead->bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return lead->bytes;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;

    while (length > 0) {
        size_t taken = character_bytes(at, length);
        if (taken == 0)
            return false;
        at += taken;
        length -= taken;
    }
    return true;
}

bool text_starts(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *string, const char *suffix)
{
    size_t length = strlen(string);
    size_t wanted = strlen(suffix);

    return length >= wanted && strcmp(string + length - wanted, suffix) == 0;
}

const char *text_last_lines(const char *text, size_t count)
{
    const char *end = text + strlen(text);
    const char *at = end;

    if (count == 0)
        return end;
    /* The newline at the end ends the last line and begins none. */
    if (at > text && at[-1] == '\n')
        at--;
    for (; at > text; at--)
        if (at[-1] == '\n' && --count == 0)
            return at;
    return text;
}

/* deb-version(7): letters before all else, "~" even before the end. */
static int order_of(char character)
{
    unsigned char byte = (unsigned char)character;

    if (character == '~')
        return -1;
    if (byte == '\0' || isdigit(byte))
        return 0;
    return isalpha(byte) ? byte : byte + UCHAR_MAX + 1;
}

static int compare_words(const char **one, const char **other)
{
    while ((**one != '\0' && !isdigit((unsigned char)**one)) ||
           (**other != '\0' && !isdigit((unsigned char)**other))) {
        int difference = order_of(**one) - order_of(**other);
        if (difference != 0)
            return difference;
        (*one)++;
        (*other)++;
    }
    return 0;
}

/* The longer number is the greater, among equally long ones the first digit that differs decides.
 */
static int compare_numbers(const char **one, const char **other)
{
    *one += strspn(*one, "0");
    *other += strspn(*other, "0");

    size_t one_length = strspn(*one, "0123456789");
    size_t other_length = strspn(*other, "0123456789");
    if (one_length != other_length)
        return one_length < other_length ? -1 : 1;

    int difference = strncmp(*one, *other, one_length);
    *one += one_length;
    *other += other_length;
    return difference;
}

int text_compare_versions(const char *one, const char *other)
{
    while (*one != '\0' || *other != '\0') {
        int difference = compare_words(&one, &other);
        if (difference == 0)
            difference = compare_numbers(&one, &other);
        if (difference != 0)
            return difference;
    }
    return 0;
}

static unsigned char random_byte(void)
{
    unsigned char byte = 0;
    ssize_t got = 0;

    do
        got = getrandom(&byte, sizeof(byte), 0);
    while (got < 0 && errno == EINTR);
    if (got != sizeof(byte))
        abort();
    return byte;
}

static char random_letter(void)
{
    static const char alphabet[] = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    size_t letters = sizeof(alphabet) - 1;
    size_t fair = (UCHAR_MAX + 1) / letters * letters;
    size_t byte = 0;

    /* A remainder would make the first letters likelier. */
    do
        byte = random_byte();
    while (byte >= fair);
    return alphabet[byte % letters];
}

char *text_make_password(size_t groups)
{
    char *password = xcalloc(groups * (GROUP_LENGTH + 1) + 1, 1);
    char *at = password;

    for (size_t i = 0; i < groups; i++) {
        if (i > 0)
            *at++ = '-';
        for (size_t letter = 0; letter < GROUP_LENGTH; letter++)
            *at++ = random_letter();
    }
    return password;
}
