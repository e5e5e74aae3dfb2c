/* script_private.h -- a script's parts, for the files that are its verbs: script.c,
 * decide.c and shadow.c. */
#ifndef PIGEON_LUA_SCRIPT_PRIVATE_H
#define PIGEON_LUA_SCRIPT_PRIVATE_H

#include "lua/door.h"
#include "lua/rules_file.h"
#include "lua/script.h"

#define GROWTH ((size_t)64 << 20) /* bytes that a decision or a load may use */
#define LOADING "(loading)"       /* the watchdog's label where it is not a key */

struct script {
    struct door door;
    struct rules_file source; /* kept for its name and hash; Lua has the text */
    struct rules_file shadow; /* the same of the shadow script */
    char shadow_title[300];   /* how the watchdog's line names that */
    bool shadowed;            /* there is a shadow script, and it loads */
    bool desk;
    char *queues;
    bool exhausted;
    int greedy_line;  /* of a script, where memory was refused last; 0: not known */
    size_t objects;   /* how many the batch has */
    size_t input_len; /* of the batch */
    struct script_place *place; /* NULL: nobody looks */
    struct deadline deadline;   /* of the batch */
    bool resting; /* the collector, until a big event is logged or memory gets short */
};

/* Inside a visit: a table {name, path, hash, source} of a script, or nil where `path` is
 * NULL. */
void script_push_source(lua_State *L, const struct rules_file *source, const char *path);

/* Decides object number `object`, from 1: by the rules, or by the shadow script, whose
 * messages go to an outbox that nobody publishes. Where memory ran out the scripts are
 * loaded anew. False: Lua itself broke. */
bool script_decide_one(struct script *script, size_t object, bool shadow,
                       struct outbox *outbox, struct err *err);

/* The watchdog watches this piece of work of the rules or of the shadow script; label: as
 * for watchdog_watch(). */
void script_watch(struct script *script, bool shadow, const char *label,
                  size_t label_len);

/* For struct memory's on_refusal: keeps the line of the script that asks for memory. */
void script_note_greed(void *script, bool grows);

/* Where a load ran out of memory at a line of the rules or of the shadow script: err
 * names the line. */
void script_blame_load(const struct script *script, bool shadow, struct err *err);

/* The watchdog watches what is done with the batch as a whole, until watchdog_stop(): an
 * event that came with no time left, or whose publishing took all of it, is answered all
 * the same. */
bool script_watch_batch(const struct script *script, const char *work, struct err *err);

/* The collector works again, where it rested. */
void script_wake_collector(struct script *script);

#endif
