/* secrets.h -- PIGEON_VIRTUAL_HOST, PIGEON_USER and PIGEON_PASSWORD, where they are
 * references to a value in AWS (reference.h); a token of STS is kept until it ends.
 *
 * The values are kept here, once, and wiped at the end. The config stays the caller's,
 * and must live as long as the secrets. */
#ifndef PIGEON_AWS_SECRETS_H
#define PIGEON_AWS_SECRETS_H

#include <stddef.h>

#include "base/deadline.h"
#include "config.h"

enum secret { SECRET_VIRTUAL_HOST, SECRET_USER, SECRET_PASSWORD, SECRET_COUNT };

enum secrets_result {
    SECRETS_READY,
    SECRETS_LATER,  /* AWS throttled, failed or was silent: a retry may work */
    SECRETS_REFUSED /* AWS refused, or its value cannot be used */
};

struct secrets;

/* Reads the references and calls nobody. The config was checked. NULL: err names the
 * variable that is wrong. */
struct secrets *secrets_open(const struct config *config, struct err *err);

/* Fetches the values that are not known yet, and a token that would end before the
 * deadline, each distinct reference once. Unless the result is SECRETS_READY, err names a
 * variable, and has AWS's answer. */
enum secrets_result secrets_resolve(struct secrets *secrets,
                                    const struct deadline *deadline, struct err *err);

/* Fetches all of them again, at most once a minute: after a refused login. True: a value
 * has changed. False: err says why not; the known values are kept. */
bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err);

/* Whether the known values are good until the deadline. True, too, for a token that ends
 * before it where it was fetched less than a minute ago: a new one would end as soon. */
bool secrets_last(const struct secrets *secrets, const struct deadline *deadline);

/* A value, until the next resolve or refresh; NULL: it is not known yet. "": the setting
 * is missing. */
const char *secrets_value(const struct secrets *secrets, enum secret which);

/* Whether this setting is a reference. */
bool secrets_refers(const struct secrets *secrets, enum secret which);

/* Removes a user and a virtual host that came from references from a text of the broker:
 * "vhost 'crashes'" becomes "vhost '(hidden)'". */
void secrets_hide(const struct secrets *secrets, char *text, size_t size);

void secrets_close(struct secrets *secrets);

#endif
