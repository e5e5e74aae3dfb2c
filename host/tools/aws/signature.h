/* signature.h -- Signature Version 4 from the server's side: does the signature match the
 * request?
 *
 * By AWS's description alone
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html): the
 * canonical request is built again from what arrived. */
#ifndef PIGEON_TOOLS_AWS_SIGNATURE_H
#define PIGEON_TOOLS_AWS_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct MHD_Connection;

/* Who may call, and where. */
struct identity {
    const char *key_id;
    const char *secret_key;
    const char *session_token; /* NULL or "": none, and none is accepted */
    const char *region;
    int64_t now_s; /* by the clock of AWS, since 1970 */
};

struct refusal {
    const char *code; /* AWS's */
    char message[4096];
};

/* Whether a POST to `path` with this body is signed by the identity for this service, and
 * now. False: the refusal is AWS's, whose message quotes what should have been signed. */
bool signature_check(struct MHD_Connection *connection, const char *path,
                     const struct buffer *body, const char *service,
                     const struct identity *identity, struct refusal *refusal);

#endif
