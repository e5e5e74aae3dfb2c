/* store.h -- the values of the local KMS, SSM and Secrets Manager, and the faults of all.
 * Each is set by a line of text. Several threads use it: the caller locks. Owns its
 * values. */
#ifndef PIGEON_TOOLS_AWS_STORE_H
#define PIGEON_TOOLS_AWS_STORE_H

#include <stdbool.h>

#include "base/buffer.h"

enum service { KMS, SSM, SECRETS_MANAGER, STS, SERVICES };

enum fault {
    FAULT_NONE,
    FAULT_DENIED,
    FAULT_THROTTLED, /* as status 400 */
    FAULT_BUSY,      /* as status 429 */
    FAULT_BROKEN,    /* status 500 */
    FAULT_FOREIGN,   /* status 403 with a page that is not from AWS */
    FAULT_TRUNCATED,
    FAULT_SLOW,
    FAULT_SILENT
};

struct store {
    struct entry *entries;
    struct {
        enum fault kind;
        long ms; /* of a slow one */
    } faults[SERVICES];
};

/* A line on stdin: its first words, NULL where it has fewer, and what follows them. */
struct order {
    const char *verb, *first, *second;
    const char *rest;
};

/* An answer: its status, its error's code (NULL: none) and its body. */
struct reply {
    int status;
    const char *code;
    struct buffer body;
};

/* The name in the signature: "kms". */
const char *service_name(enum service service);

/* The service of that name, or of that X-Amz-Target. False: none of these. */
bool service_named(const char *name, enum service *service);

/* Executes one line; the usage of aws.c lists them. False: an unknown line. */
bool store_obey(struct store *store, const struct order *order);

/* Answers a request with a valid signature; `id` becomes the name of the value. */
void store_answer(const struct store *store, enum service service,
                  const struct buffer *body, struct reply *reply, char *id, size_t size);

/* The answer of the service's fault in place of its own. False: it has no such fault. */
bool store_misbehave(const struct store *store, enum service service,
                     struct reply *reply);

/* An error in the shape of AWS: of STS, or of the others. */
void reply_error(struct reply *reply, enum service service, int status, const char *code,
                 const char *message);

void store_free(struct store *store);

#endif
