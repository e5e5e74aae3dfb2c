/* fetch.h -- the value of one reference, from its service. */
#ifndef PIGEON_AWS_FETCH_H
#define PIGEON_AWS_FETCH_H

#include <stdint.h>

#include "aws/reference.h"
#include "aws/service.h"
#include "base/deadline.h"

#define FETCH_MAX (1 << 19) /* 64 KB of secret, escaped as far as JSON can */

/* What AWS gave. */
struct fetched {
    struct buffer text;
    int64_t end_ms; /* clock_ms(): it is of no use any more then; 0: it stays good */
};

/* Asks for the value that the whole answer is; a member of it is the caller's to pick. A
 * token shall live for so many ms at least, where AWS allows that; it lives at least for
 * 900 s, or twice as long as it shall, or, near the end of the role's session, for 60 s.
 * Unless the result is AWS_DONE, err has the service and AWS's answer. */
enum service_result fetch(struct service_client *client,
                          const struct reference *reference, int64_t life_ms,
                          const struct deadline *deadline, struct fetched *fetched,
                          struct err *err);

#endif
