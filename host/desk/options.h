/* options.h -- the arguments of `pigeon`: the desk's commands and their options.
 *
 * Plain data; the strings are the caller's. */
#ifndef PIGEON_DESK_OPTIONS_H
#define PIGEON_DESK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct options {
    const char *command;
    const char *rules;    /* --rules FILE, NULL: not given; OLD of diff */
    const char *against;  /* --against FILE; NEW of diff */
    const char *ids;      /* --ids PREFIX */
    const char *manifest; /* --manifest FILE */
    const char *html;     /* --html FILE, where a page goes to */
    int64_t from;         /* --from N, the first object; 1 unless given */
    int64_t rate;         /* --rate N, objects a second; 0: no limit */
    int64_t examples;     /* --examples N, of each change; 0: not given */
    bool json;
    bool trace;
    bool connect;
    bool dry_run;
    bool strict;
    bool literal; /* "--" came before the words */
    bool help;    /* --help in any place; nothing else was read */
    int count;    /* of the arguments that are not options; all of them, where the command
                * itself reads its arguments */
    char *const *words;
};

/* Whether the desk has a command of this name. */
bool options_is_command(const char *command);

/* Reads arguments[0], the command, and what follows; the words move to the front of
 * `arguments`. False: misuse. */
bool options_read(struct options *options, int count, char **arguments, struct err *err);

#endif
