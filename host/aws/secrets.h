/* secrets.h -- PIGEON_VIRTUAL_HOST, PIGEON_USER and PIGEON_PASSWORD, where they are
 * references to a value in AWS:
 *
 *   kms:BASE64              what KMS decrypts this ciphertext to
 *   ssm:NAME                a parameter of Systems Manager
 *   secretsmanager:ID       a secret, by its name or ARN
 *   secretsmanager:ID#KEY   a member of a secret that is a JSON object
 *
 * Anything else is the value itself; one that begins so has a backslash before it. The
 * values are kept here, once, and wiped at the end. The config stays the caller's, and
 * must live as long as the secrets. */
#ifndef PIGEON_AWS_SECRETS_H
#define PIGEON_AWS_SECRETS_H

#include <stddef.h>

#include "base/deadline.h"
#include "config.h"

enum secret { SECRET_VIRTUAL_HOST, SECRET_USER, SECRET_PASSWORD, SECRET_COUNT };

enum secrets_result {
    SECRETS_READY,
    SECRETS_LATER,  /* AWS was throttling, broken or silent: another time it may work */
    SECRETS_REFUSED /* AWS said no, or what it gave is of no use */
};

struct secrets;

/* Reads the references and calls nobody. The config was checked. NULL: err names the
 * variable that cannot be right. */
struct secrets *secrets_open(const struct config *config, struct err *err);

/* Asks AWS for what is not known yet, each distinct reference once. Otherwise than
 * SECRETS_READY: err names a variable, and says what AWS did. */
enum secrets_result secrets_resolve(struct secrets *secrets,
                                    const struct deadline *deadline, struct err *err);

/* Asks AWS for all of them anew, at most once a minute: after a login that was refused.
 * True: a value is another one now. False: err says why not; what was known is kept. */
bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err);

/* A value, until the next secrets_refresh(); NULL: it is not known yet. */
const char *secrets_value(const struct secrets *secrets, enum secret which);

/* Whether it comes out of a reference. */
bool secrets_refers(const struct secrets *secrets, enum secret which);

/* Takes a user and a virtual host that came out of references out of a text: where the
 * broker's words name them, "vhost 'crashes'". */
void secrets_hide(const struct secrets *secrets, char *text, size_t size);

void secrets_close(struct secrets *secrets);

#endif
