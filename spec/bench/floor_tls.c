/* floor_tls.c -- floor.c over TLS, with the CAs of PIGEON_TLS_CA_FILE. By itself:
 * OpenSSL takes memory, and time of a start. */
#define WITH_TLS
#include "floor.c"
