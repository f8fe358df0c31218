#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "cli.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

#define COLUMNS_MAX 32
#define FREE_TEXT_LEAST 16

struct column {
    const char *field;
    char *title;
    char **cells;
    size_t width;
    bool right, hidden, free_text;
};

struct grid {
    struct column columns[COLUMNS_MAX];
    size_t count;
    size_t rows;
    bool attention;
};

/* --- filling --- */

static bool is_number(struct json_object *schema)
{
    struct json_object *types = json_get(schema, "type");
    const char *type = json_object_is_type(types, json_type_array)
                           ? json_object_get_string(json_object_array_get_idx(types, 0))
                           : json_get_string(schema, "type");

    return type != NULL && (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0);
}

/* "14/200": figures, although they are text. */
static bool is_figures(const struct column *column, size_t rows)
{
    bool any = false;

    for (size_t i = 0; i < rows; i++) {
        const char *cell = column->cells[i];
        if (strcmp(cell, "-") == 0)
            continue;
        if (cell[strspn(cell, "0123456789/")] != '\0' || strchr(cell, '/') == NULL)
            return false;
        any = true;
    }
    return any;
}

static bool is_free_text(const char *field)
{
    static const char *const fields[] = { "note", "source", "what", "text", "help", "categories" };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(fields[i], field) == 0)
            return true;
    return false;
}

static void fill_column(const struct table *table, struct column *column, size_t rows)
{
    column->title = cell_title(column->field);
    column->cells = xcalloc(rows + 1, sizeof(*column->cells));
    column->width = screen_width(column->title);
    for (size_t i = 0; i < rows; i++) {
        struct json_object *row = json_object_array_get_idx(table->rows, i);
        column->cells[i] = cell_text(column->field, json_get(row, column->field), true);
        size_t width = screen_width(column->cells[i]);
        column->width = width > column->width ? width : column->width;
    }
    column->right = is_number(json_get(table->fields, column->field)) ||
                    text_ends(column->field, "_at") || is_figures(column, rows);
    column->free_text = is_free_text(column->field);
}

static void grid_fill(const struct table *table, struct grid *grid)
{
    size_t count = json_object_array_length(table->columns);

    grid->rows = json_object_array_length(table->rows);
    grid->count = count < COLUMNS_MAX ? count : COLUMNS_MAX;
    for (size_t i = 0; i < grid->count; i++) {
        grid->columns[i].field =
            json_object_get_string(json_object_array_get_idx(table->columns, i));
        fill_column(table, &grid->columns[i], grid->rows);
    }
    for (size_t i = 0; i < grid->rows; i++) {
        struct json_object *attention =
            json_get(json_object_array_get_idx(table->rows, i), "attention");
        if (json_object_is_type(attention, json_type_array) &&
            json_object_array_length(attention) > 0)
            grid->attention = true;
    }
}

static void grid_done(struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++) {
        for (size_t row = 0; row < grid->rows; row++)
            free(grid->columns[i].cells[row]);
        free(grid->columns[i].cells);
        free(grid->columns[i].title);
    }
}

/* --- fitting --- */

/* Free text counts as what it may be cut to, or as it is. */
static size_t grid_width(const struct grid *grid, bool cut)
{
    size_t width = grid->attention ? 2 : 0;
    size_t shown = 0;

    for (size_t i = 0; i < grid->count; i++) {
        const struct column *column = &grid->columns[i];
        if (column->hidden)
            continue;
        bool shorter = cut && column->free_text && column->width > FREE_TEXT_LEAST;
        width += shorter ? FREE_TEXT_LEAST : column->width;
        shown++;
    }
    return width + (shown > 0 ? 2 * (shown - 1) : 0);
}

static bool hide(struct grid *grid, const char *field)
{
    for (size_t i = 0; i < grid->count; i++) {
        if (strcmp(grid->columns[i].field, field) != 0 || grid->columns[i].hidden)
            continue;
        grid->columns[i].hidden = true;
        return true;
    }
    return false;
}

static bool has_any(const struct grid *grid, const char *field)
{
    for (size_t i = 0; i < grid->count; i++)
        for (size_t row = 0; strcmp(grid->columns[i].field, field) == 0 && row < grid->rows; row++)
            if (strcmp(grid->columns[i].cells[row], "-") != 0)
                return true;
    return false;
}

/* What does not exist in this kind of database is no column of it. */
static void hide_empty(const struct table *table, struct grid *grid)
{
    size_t count = table->sparse != NULL ? json_object_array_length(table->sparse) : 0;
    bool any = false;

    for (size_t i = 0; i < count; i++)
        any = any ||
              has_any(grid, json_object_get_string(json_object_array_get_idx(table->sparse, i)));
    for (size_t i = any ? 0 : 1; i < count; i++) {
        const char *field = json_object_get_string(json_object_array_get_idx(table->sparse, i));
        if (!has_any(grid, field))
            hide(grid, field);
    }
}

/* Columns leave in the order of the table; then free text gets what is left. How many left. */
static size_t grid_fit(const struct table *table, struct grid *grid, size_t columns)
{
    size_t hidden = 0;

    for (size_t i = 0;
         i < json_object_array_length(table->leaves) && grid_width(grid, true) > columns; i++)
        hidden += hide(grid, json_object_get_string(json_object_array_get_idx(table->leaves, i)));
    for (size_t i = 0; i < grid->count; i++) {
        struct column *column = &grid->columns[i];
        size_t width = grid_width(grid, false);
        if (column->hidden || !column->free_text || width <= columns)
            continue;
        size_t over = width - columns;
        column->width =
            column->width > over + FREE_TEXT_LEAST ? column->width - over : FREE_TEXT_LEAST;
    }
    return hidden;
}

/* --- printing --- */

static size_t last_shown(const struct grid *grid)
{
    size_t last = 0;

    for (size_t i = 0; i < grid->count; i++)
        if (!grid->columns[i].hidden)
            last = i;
    return last;
}

static bool is_state(const char *field)
{
    return strcmp(field, "status") == 0 || strcmp(field, "state") == 0;
}

static enum paint paint_of(const struct column *column, size_t index, const char *cell)
{
    if (is_state(column->field))
        return screen_paint_of(cell);
    return index == 0 ? PAINT_BOLD : PAINT_NONE;
}

/* Padding stands outside of the colour, so that widths do not count it. */
static void add_cell(const struct column *column, const char *cell, enum paint paint, bool last,
                     struct text *out)
{
    autofree char *cut = screen_cut(cell, column->width);
    size_t width = screen_width(cut);
    int spaces = (int)(column->width > width ? column->width - width : 0);

    if (column->right)
        text_printf(out, "%*s", spaces, "");
    screen_paint(out, paint != PAINT_NONE, paint, cut);
    if (!column->right && !last)
        text_printf(out, "%*s", spaces, "");
    text_add(out, last ? "\n" : "  ");
}

static bool has_attention(struct json_object *row)
{
    struct json_object *attention = json_get(row, "attention");

    return json_object_is_type(attention, json_type_array) &&
           json_object_array_length(attention) > 0;
}

static void add_titles(const struct grid *grid, size_t last, struct text *out)
{
    if (grid->attention)
        text_add(out, "  ");
    for (size_t i = 0; i < grid->count; i++)
        if (!grid->columns[i].hidden)
            add_cell(&grid->columns[i], grid->columns[i].title, PAINT_NONE, i == last, out);
}

static void add_row(const struct cli *cli, const struct grid *grid, size_t row, size_t last,
                    struct text *out)
{
    for (size_t i = 0; i < grid->count; i++) {
        const struct column *column = &grid->columns[i];
        const char *cell = column->cells[row];
        enum paint paint = cli->color_out ? paint_of(column, i, cell) : PAINT_NONE;
        if (!column->hidden)
            add_cell(column, cell, paint, i == last, out);
    }
}

static void add_rows(const struct cli *cli, const struct table *table, const struct grid *grid,
                     struct text *out)
{
    size_t last = last_shown(grid);

    add_titles(grid, last, out);
    for (size_t row = 0; row < grid->rows; row++) {
        if (grid->attention)
            text_add(out, has_attention(json_object_array_get_idx(table->rows, row)) ? "! " : "  ");
        add_row(cli, grid, row, last, out);
    }
}

/* "! shop: performance_schema waits for a restart: dbguestctl instance restart shop" */
static void add_attention(const struct table *table, const struct grid *grid, struct text *out)
{
    for (size_t row = 0; grid->count > 0 && row < grid->rows; row++) {
        struct json_object *attention =
            json_get(json_object_array_get_idx(table->rows, row), "attention");
        if (!json_object_is_type(attention, json_type_array))
            continue;
        for (size_t i = 0; i < json_object_array_length(attention); i++) {
            struct json_object *item = json_object_array_get_idx(attention, i);
            autofree char *message = cell_text("message", json_get(item, "message"), true);
            autofree char *hint = cell_text("hint", json_get(item, "hint"), true);
            text_printf(out, "! %s: %s", grid->columns[0].cells[row], message);
            if (strcmp(hint, "-") != 0)
                text_printf(out, ": %s", hint);
            text_add(out, "\n");
        }
    }
}

static void add_plain(const struct table *table, struct text *out)
{
    size_t count = json_object_array_length(table->columns);

    for (size_t i = 0; i < count; i++) {
        autofree char *title =
            cell_title(json_object_get_string(json_object_array_get_idx(table->columns, i)));
        text_printf(out, "%s%s", title, i + 1 < count ? "\t" : "\n");
    }
    for (size_t row = 0; row < json_object_array_length(table->rows); row++) {
        struct json_object *object = json_object_array_get_idx(table->rows, row);
        for (size_t i = 0; i < count; i++) {
            const char *field =
                json_object_get_string(json_object_array_get_idx(table->columns, i));
            autofree char *cell = cell_plain(json_get(object, field));
            text_printf(out, "%s%s", cell, i + 1 < count ? "\t" : "\n");
        }
    }
}

void table_print(const struct cli *cli, const struct table *table, struct text *out,
                 struct text *remarks)
{
    struct grid grid = { 0 };
    size_t hidden = 0;

    if (!cli->out_terminal) {
        add_plain(table, out);
        return;
    }
    grid_fill(table, &grid);
    hide_empty(table, &grid);
    if (!cli->wide)
        hidden = grid_fit(table, &grid, cli->columns);
    add_rows(cli, table, &grid, out);
    add_attention(table, &grid, out);
    autofree char *columns = units_count((long long)hidden, "column");
    if (hidden > 0)
        text_printf(remarks, "%s hidden; --wide\n", columns);
    grid_done(&grid);
}
