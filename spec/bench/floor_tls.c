/* floor_tls.c -- floor.c over TLS, with the CAs of PIGEON_TLS_CA_FILE. A program of its own:
 * OpenSSL takes memory, and time of a start. */
#define WITH_TLS
#include "floor.c"
