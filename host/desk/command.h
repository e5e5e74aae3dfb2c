/* command.h -- one run of a desk command: its options, the open script, the output.
 *
 * For host/desk alone. Plain data, valid when zeroed but for options; options and
 * delivery stay the caller's. */
#ifndef PIGEON_DESK_COMMAND_H
#define PIGEON_DESK_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "config.h"
#include "desk/options.h"
#include "handler.h"

struct command {
    const struct options *options;
    struct handler handler;
    struct delivery *checked; /* by check --connect; NULL: no connection is made */
    struct answer answer;
    char rules[PATH_MAX];       /* the script's file; "": none is needed */
    struct script_place *place; /* desk/apart.h: what a child and its parent share */
    bool ended;                 /* a child has done all the rest, with this status */
    int status;
};

/* Whether the command has this name. */
bool command_is(const struct command *command, const char *name);

/* Finds the script: --rules FILE, else rules.lua beside the program, else the
 * repository's. False: there is none. */
bool command_find_rules(struct command *command, struct err *err);

/* Opens the script, and the one of --against. False: err names what is wrong. */
bool command_open(struct command *command, const struct config *config, struct err *err);

/* Writes to stdout or stderr, at once. False: not all could be written. */
bool command_print(const struct buffer *text, FILE *stream, struct err *err);

#endif
