/* extensions.h -- the Extensions API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html) for internal
 * extensions, with the status codes and words of AWS's own emulator
 * (internal/lambda/rapi/handler/agentregister.go).
 *
 * An extension that registered has to ask for its next event: until all have, init goes
 * on and no event is handed out. Of the kinds of event there is none: INVOKE is refused,
 * unlike by Lambda. Plain data, valid when zeroed; connections stay libmicrohttpd's. */
#ifndef PIGEON_TOOLS_LAMBDA_EXTENSIONS_H
#define PIGEON_TOOLS_LAMBDA_EXTENSIONS_H

#include <stdbool.h>

#include "tools/lambda/request.h"

#define EXTENSIONS_MAX 10 /* Lambda's limit */

struct extensions {
    struct extension {
        char name[128];
        char id[37];
        struct request *waiting; /* in its /event/next; NULL: it has not asked */
    } list[EXTENSIONS_MAX];
    int count;
};

/* Answers a whole register; `closed`: the function has asked for its first event. */
enum MHD_Result extensions_register(struct extensions *extensions,
                                    struct request *request, bool closed);

/* Suspends a /event/next, or refuses it. */
enum MHD_Result extensions_next(struct extensions *extensions, struct request *request);

/* Whether each that registered has asked for its next event. */
bool extensions_idle(const struct extensions *extensions);

/* The request is gone. */
void extensions_lose(struct extensions *extensions, const struct request *request);

/* Their process has ended: closes the connections that wait, and forgets all. */
void extensions_reset(struct extensions *extensions);

#endif
