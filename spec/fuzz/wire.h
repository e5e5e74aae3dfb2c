/* wire.h -- a socket whose other end is the input.
 *
 * It defines recv(), send(), sendmsg() and poll() for the whole program: what is received
 * comes from the input, and behind its end the connection is closed; what is sent is
 * thrown away; nothing waits. */
#ifndef PIGEON_FUZZ_WIRE_H
#define PIGEON_FUZZ_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* What is received from now on, at most `most` bytes at a time (0: all). The bytes stay
 * the caller's. */
void wire_set(const uint8_t *data, size_t size, size_t most);

/* From byte number `at` on, nothing arrives until the code under test waits for it: it
 * polls for input alone, and not for 0 ms. To be called after wire_set(). */
void wire_hold(size_t at);

/* A connected socket, which its user closes. A later one goes on in the input where the
 * one before it ended. */
int wire_connect(void);

#endif
