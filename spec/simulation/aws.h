/* aws.h -- the secret in AWS, and the broker's password that it should be. */
#ifndef SIMULATION_AWS_H
#define SIMULATION_AWS_H

#include <stdbool.h>
#include <stdint.h>

/* A new password at the broker; AWS has it so much later. */
void aws_change_password(int64_t later);

/* AWS has it now. */
void aws_learn(void);

/* Whether AWS has the password that the broker wants. */
bool aws_is_right(void);

/* What AWS gave to this process last; NULL: nothing before then. */
const char *aws_given(int64_t before);

/* The next one knows nothing. */
void aws_process_ends(void);

#endif
