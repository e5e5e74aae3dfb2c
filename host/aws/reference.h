/* reference.h -- the text of a setting that refers to a value in AWS:
 *
 *   kms:BASE64              the plaintext of this ciphertext, from KMS
 *   ssm:NAME                a parameter of Systems Manager
 *   secretsmanager:ID       a secret, by its name or ARN
 *   secretsmanager:ID#KEY   a member of a secret that is a JSON object
 *   sts:AUDIENCE            a token of the role for this audience, from STS; a password
 *
 * Anything else is a literal; one that begins like a reference has a backslash before it.
 */
#ifndef PIGEON_AWS_REFERENCE_H
#define PIGEON_AWS_REFERENCE_H

#include <stdbool.h>

#include "aws/service.h"
#include "base/err.h"

struct reference {
    const char *variable; /* the setting's name */
    enum service service;
    char *id; /* the reference's own; NULL: the setting is a literal */
    const char
        *key; /* the member of a JSON secret, within the setting; NULL: all of it */
};

/* Reads a setting, whose strings stay the caller's. Where it is a literal, id stays NULL.
 * False: err names the variable and what is wrong with its reference. */
bool reference_parse(struct reference *reference, const char *variable,
                     const char *setting, struct err *err);

/* A literal without the backslash that keeps it from being a reference. */
const char *reference_literal(const char *setting);

/* Whether one call to AWS answers both. */
bool reference_same_call(const struct reference *a, const struct reference *b);

void reference_free(struct reference *reference);

#endif
