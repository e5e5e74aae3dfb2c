/* serve.h -- the proxy itself, which proxy.h and build/tools/proxy put into a process.
 *
 * The commands are in proxy.h. */
#ifndef PIGEON_SERVE_H
#define PIGEON_SERVE_H

/* Writes its port as a line to `out`, obeys the commands that come from `in`, and
 * returns an exit status when they end. */
int proxy_serve(int target_port, int in, int out);

#endif
