/*
 * Asking at a terminal. Nothing here is called without one.
 */
#ifndef DBGUEST_CLI_PROMPT_H
#define DBGUEST_CLI_PROMPT_H

#include <stdbool.h>

struct error;

/* The line typed, without its newline; NULL at the end of input or Ctrl-C. The caller frees it. */
char *prompt_line(const char *question);
/* Without echo, twice; an empty one is taken when empty_is_good. The caller wipes and frees it. */
char *prompt_secret(const char *question, bool empty_is_good, struct error *err);
/* The first line of standard input; NULL with err when there is none. */
char *prompt_read_stdin(const char *option, struct error *err);
/* Overwrites and frees. */
void prompt_wipe(char *secret);

#endif
