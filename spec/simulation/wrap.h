/* wrap.h -- a function that stands in for a call: the linker's --wrap leads the call
 * here. */
#ifndef SIMULATION_WRAP_H
#define SIMULATION_WRAP_H

#define WRAP(type, name, ...)        \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

#endif
