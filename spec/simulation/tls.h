/* tls.h -- the two hellos, as the broker has to know them. */
#ifndef SIMULATION_TLS_H
#define SIMULATION_TLS_H

#define TLS_CLIENT_HELLO 300
#define TLS_SERVER_HELLO 2000
#define TLS_FIRST_BYTES "\x16\x03\x01" /* of a hello: RFC 8446, 5.1 */
#define TLS_ALERT 0x15
#define TLS_ALERT_BYTES 7

#endif
