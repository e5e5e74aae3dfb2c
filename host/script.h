/* script.h -- the door to Lua: bytes in, messages out; fates in, the answer out.
 *
 * The verbs are those of lua/pigeon/init.lua. One script holds one Lua state with the
 * embedded modules and the rules; a batch lives in it from script_decide() to
 * script_conclude(). False always means that Lua itself broke: bad JSON, unknown shapes
 * and failing rules are in the batch, and conclude tells of them. Strings are copied on
 * the way in and out; the script owns nothing of its callers'. */
#ifndef PIGEON_SCRIPT_H
#define PIGEON_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "deadline.h"
#include "err.h"
#include "outbox.h"

struct script;

struct script_settings {
    const char *command;        /* "lambda", or the desk's command */
    const char *path;           /* the rules script's file */
    const char *queue;          /* PIGEON_QUEUE */
    const char *env;            /* PIGEON_ENV, NULL: not set */
    const char *batch_failures; /* PIGEON_BATCH_FAILURES, NULL: not set */
    long memory_mb;             /* what the function may use, 0: not known */
};

struct invocation {
    const char *kind; /* "event" */
    const char *input;
    size_t input_len;
    const char *request_id;
    const char *trace_id;
    struct deadline deadline;
};

struct answer {
    struct buffer body;  /* JSON */
    char error_type[64]; /* "" for success, or Function.X */
};

/* Loads the modules and the rules, within `deadline`. NULL: err->type and err say what
 * is wrong with which setting, or with which line of the rules. */
struct script *script_open(const struct script_settings *settings,
                           const struct deadline *deadline, struct err *err);

/* The queues' names, separated by commas, and the first 12 hex digits of the rules'
 * SHA-256; both live as long as the script. */
const char *script_queues(const struct script *script);
const char *script_hash(const struct script *script);

/* Receives an event and decides each object of it until half of the deadline is spent or
 * the script is exhausted; every message goes into the outbox. */
bool script_decide(struct script *script, const struct invocation *invocation,
                   struct outbox *outbox, struct err *err);

/* Fates and facts to the answer; log lines are written on the way. */
bool script_conclude(struct script *script, struct outbox *outbox,
                     const struct facts *facts, struct answer *answer, struct err *err);

/* Whether the rules hold so much memory, even loaded anew, that the process should end
 * after this event. */
bool script_exhausted(const struct script *script);

void script_close(struct script *script);

/* Runs a command that needs neither rules nor events, lua/pigeon/desk/COMMAND.lua, with
 * these arguments, in a Lua of its own. Appends what it says to text, and sets the exit
 * status: 0 is for stdout, another for stderr. False: Lua broke. */
bool script_tell(const char *command, int count, char *const *arguments,
                 struct buffer *text, int *status, struct err *err);

#endif
