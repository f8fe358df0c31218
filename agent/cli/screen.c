#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>
#include <wctype.h>

#include "memory.h"
#include "text.h"

#define COLUMNS_WITHOUT_TERMINAL 100
#define COLUMNS_LEAST 20

/* Takes no column and changes how others look: the direction of writing, joints, a byte order. */
static bool is_format(wchar_t character)
{
    static const wchar_t ranges[][2] = {
        { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
        { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe007f },
    };

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
        if (character >= ranges[i][0] && character <= ranges[i][1])
            return true;
    return false;
}

/* The next character; 0 bytes when it is none that can be printed. */
static size_t printable(const char *at, wchar_t *out)
{
    mbstate_t state = { 0 };
    size_t bytes = mbrtowc(out, at, strlen(at), &state);

    if (bytes == 0 || bytes == (size_t)-1 || bytes == (size_t)-2)
        return 0;
    return iswprint((wint_t)*out) && wcwidth(*out) >= 0 && !is_format(*out) ? bytes : 0;
}

char *screen_safe(const char *text)
{
    struct text safe = { 0 };

    text_add(&safe, "");
    while (*text != '\0') {
        wchar_t character = 0;
        size_t bytes = printable(text, &character);
        if (bytes == 0)
            text_printf(&safe, "\\x%02x", (unsigned char)*text++);
        text_add_bytes(&safe, text, bytes);
        text += bytes;
    }
    return safe.bytes;
}

size_t screen_width(const char *safe)
{
    size_t width = 0;

    while (*safe != '\0') {
        wchar_t character = 0;
        size_t bytes = printable(safe, &character);
        width += bytes > 0 ? (size_t)wcwidth(character) : 1;
        safe += bytes > 0 ? bytes : 1;
    }
    return width;
}

char *screen_cut(const char *safe, size_t columns)
{
    const char *at = safe;
    size_t width = 0;

    if (screen_width(safe) <= columns)
        return xstrdup(safe);
    while (*at != '\0') {
        wchar_t character = 0;
        size_t bytes = printable(at, &character);
        size_t more = bytes > 0 ? (size_t)wcwidth(character) : 1;
        if (width + more + 1 > columns)
            break;
        width += more;
        at += bytes > 0 ? bytes : 1;
    }
    return xasprintf("%.*s…", (int)(at - safe), safe);
}

static void add_spaces(struct text *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_add(out, " ");
}

void screen_pad(struct text *out, const char *safe, size_t width, bool right)
{
    size_t own = screen_width(safe);
    size_t spaces = own < width ? width - own : 0;

    if (right)
        add_spaces(out, spaces);
    text_add(out, safe);
    if (!right)
        add_spaces(out, spaces);
}

void screen_paint(struct text *out, bool color, enum paint paint, const char *safe)
{
    static const char *const codes[] = {
        [PAINT_BOLD] = "\033[1m",
        [PAINT_GREEN] = "\033[32m",
        [PAINT_YELLOW] = "\033[33m",
        [PAINT_RED] = "\033[31m",
    };

    if (!color || paint == PAINT_NONE) {
        text_add(out, safe);
        return;
    }
    text_printf(out, "%s%s\033[0m", codes[paint], safe);
}

struct state_paint {
    const char *state;
    enum paint paint;
};

enum paint screen_paint_of(const char *state)
{
    static const struct state_paint paints[] = {
        { "ACTIVE", PAINT_GREEN },      { "ok", PAINT_GREEN },
        { "NEW", PAINT_YELLOW },        { "BUILD", PAINT_YELLOW },
        { "UPGRADE", PAINT_YELLOW },    { "BACKUP", PAINT_YELLOW },
        { "queued", PAINT_YELLOW },     { "running", PAINT_YELLOW },
        { "recovering", PAINT_YELLOW }, { "warning", PAINT_YELLOW },
        { "SHUTDOWN", PAINT_YELLOW },   { "RESTART_REQUIRED", PAINT_YELLOW },
        { "note", PAINT_NONE },
    };

    for (size_t i = 0; i < ARRAY_SIZE(paints); i++)
        if (strcmp(paints[i].state, state) == 0)
            return paints[i].paint;
    return PAINT_RED;
}

void screen_wrap(struct text *out, const char *text, size_t columns, size_t indent)
{
    size_t used = 0;

    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        autofree char *word = xstrndup(text, length);
        size_t width = screen_width(word);

        if (used > 0 && used + 1 + width > columns) {
            text_add(out, "\n");
            add_spaces(out, indent);
            used = indent;
        } else if (used > 0) {
            text_add(out, " ");
            used++;
        }
        text_add(out, word);
        used += width;
        text += length;
    }
}

size_t screen_columns(int fd)
{
    struct winsize size = { 0 };
    const char *said = getenv("COLUMNS");
    long columns = said != NULL ? strtol(said, NULL, 10) : 0;

    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    if (columns <= 0)
        return COLUMNS_WITHOUT_TERMINAL;
    return columns < COLUMNS_LEAST ? COLUMNS_LEAST : (size_t)columns;
}
