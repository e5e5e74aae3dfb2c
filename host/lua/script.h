/* script.h -- Lua's side: bytes in, messages out; fates in, the answer out; then the log.
 *
 * The verbs are those of lua/pigeon/init.lua. One script holds one Lua state with the
 * embedded modules and the rules; a batch lives in it from script_decide() to
 * script_tell(), on the desk to script_conclude(). False always means that Lua itself
 * broke: bad JSON, unknown shapes and failing rules are in the batch, and conclude and
 * tell report them. Strings are copied on the way in and out; the script owns nothing of
 * its callers'. */
#ifndef PIGEON_LUA_SCRIPT_H
#define PIGEON_LUA_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/deadline.h"
#include "base/err.h"
#include "outbox.h"

struct script;

struct script_settings {
    const char *command; /* "lambda", or the desk's command */
    const char *path;    /* the rules script's file; NULL: the command needs none */
    const char *queue;   /* PIGEON_QUEUE */
    const char *env;     /* PIGEON_ENV, NULL: not set */
    const char *batch_failures;   /* PIGEON_BATCH_FAILURES, NULL: not set */
    const char *metrics;          /* PIGEON_METRICS, NULL: not set */
    const char *function_name;    /* AWS_LAMBDA_FUNCTION_NAME, NULL: not set */
    const char *function_version; /* AWS_LAMBDA_FUNCTION_VERSION, NULL: not set */
    long memory_mb;               /* what the function may use, 0: not known */

    /* of the desk */
    int count; /* of its arguments, for a command that reads them itself; for check, the
                * findings so far */
    char *const *arguments;
    bool help;  /* prints the command's usage, and nothing else */
    bool json;  /* its output is for a program */
    bool html;  /* there is to be a page, too */
    bool trace; /* shows which lines ran */
    bool dry_run;
    bool strict;
    bool assumed_queue;    /* PIGEON_QUEUE is not set */
    const char *known;     /* the names of Pigeon's variables, a space after each */
    const char *set;       /* of those that are set and begin with PIGEON_ */
    bool literal;          /* the arguments are keys, whatever they look like */
    const bool *are_files; /* for each argument; NULL: nobody has looked */
    const char *now;       /* SOURCE_DATE_EPOCH, NULL: the clock's time */
    const char *ids;       /* --ids, NULL: not given */
    const char *manifest;  /* --manifest, NULL: not given */
    struct buffer *manifest_text;
    int64_t from; /* the first object of a list that counts; 0 is 1 */
    int examples; /* how many to show of each change, 0: as many as usual */
    int width;    /* of the terminal, 0: none */
};

/* What the broker answered for a queue. */
struct queue_answer {
    char *queue; /* NULL: for messages as such */
    char *what;
    char *fix;           /* what to do; NULL: nothing, or nothing is known */
    const char *missing; /* a constant: "queue", "right", "vhost", "limit"; NULL: none */
    bool ok;
};

struct invocation {
    const char *kind; /* "event"; on the desk also "lines", "rest" (no bytes: what is left
                       * of lines), "keys" (a zero byte behind each), "setup" (no bytes,
                       * but answers), "objects" (no bytes: those of the report, from
                       * number `line` on), "stopped" and "shadow_stopped" (why the
                       * process that decided object `line` ended) */
    const char *input;
    size_t input_len;
    size_t held;  /* bytes of an earlier input, of which Lua still has a part */
    int64_t line; /* the number of the first one, of lines and objects */
    int64_t most; /* objects that are returned at once; 0: any number */
    const struct queue_answer *answers;
    size_t answer_count;
    const char *virtual_host; /* of the login, beside answers; NULL: not to be shown */
    const char *user;
    struct deadline deadline;
};

struct answer {
    struct buffer body;  /* JSON; on the desk, text for stdout */
    char error_type[64]; /* "" for success, or Function.X; on the desk, what stops the
                            walk */
};

/* Loads the modules and the rules, within `deadline`. NULL: err names the
 * setting or the line of the rules that is wrong, and its cause. */
struct script *script_open(const struct script_settings *settings,
                           const struct deadline *deadline, struct err *err);

/* Loads a second script, the shadow, within `deadline`: it decides the same
 * objects, and nothing that it decides is published. False: err says why it does not
 * load; the rules are as they were. */
bool script_open_shadow(struct script *script, const char *path,
                        const struct deadline *deadline, struct err *err);

/* The queues' names, separated by commas, and the first 12 hex digits of the rules'
 * SHA-256, and of the shadow's, or NULL where there is none; they live as long as the
 * script. */
const char *script_queues(const struct script *script);
const char *script_hash(const struct script *script);
const char *script_shadow_hash(const struct script *script);

/* Receives an event and decides each object of it until half of the deadline is spent or
 * the script is exhausted; every message goes into the outbox. */
bool script_decide(struct script *script, const struct invocation *invocation,
                   struct outbox *outbox, struct err *err);

/* Has the shadow script, where there is one, decide the objects that the rules decided,
 * while more than a third of the deadline is left. It cannot change an object's answer;
 * but where the watchdog has to stop it, the process ends. */
void script_shadow(struct script *script, const struct deadline *deadline);

/* Where a walk is: plain data, in memory that outlives the process. */
struct script_place {
    volatile int64_t first; /* the number of the batch's first object, the caller's */
    volatile size_t object; /* in the batch, from 1; 0: none is being decided */
    volatile bool shadow;   /* by the shadow script */
};

/* From now on the place has what is being decided. It stays the caller's. */
void script_watch_place(struct script *script, struct script_place *place);

/* How many objects the last input had. */
size_t script_objects(const struct script *script);

/* Fates and facts to the answer. */
bool script_conclude(struct script *script, struct outbox *outbox,
                     const struct facts *facts, struct answer *answer, struct err *err);

/* Not on the desk: writes the log lines and metrics of the concluded batch. */
bool script_tell(struct script *script, struct err *err);

/* On the desk, after the last batch: appends the last text and the page (NULL: nobody
 * wants it), and sets the exit status: 2 for misuse; `problem` is filled where the status
 * needs words. */
bool script_finish(struct script *script, struct buffer *text, struct buffer *page,
                   int *status, struct err *problem, struct err *err);

/* Whether the rules hold so much memory, even loaded anew or, after script_tell(), with
 * the event gone, that the process should end after this event. */
bool script_exhausted(const struct script *script);

void script_close(struct script *script);

#endif
