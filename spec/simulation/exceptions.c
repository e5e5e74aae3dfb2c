/* exceptions.c -- the names, for the command line. */
#include "exceptions.h"

#include <string.h>

static const char *const names[EXCEPTIONS] = {
    [REFRESH_COMES_LATE] = "refresh-comes-late",
    [ADDRESS_FORGOTTEN] = "address-forgotten",
    [STILL_BROKER_UNNOTICED] = "still-broker-unnoticed",
    [ACKS_BEHIND_BLOCKED] = "acks-behind-blocked",
    [MANY_CONNECTS] = "many-connects",
};

static bool out[EXCEPTIONS];

bool excepted(enum exception exception)
{
    return !out[exception];
}

bool exception_take_out(const char *name)
{
    bool found = false;

    for (int i = 0; i < EXCEPTIONS; i++)
        if (strcmp(name, "all") == 0 || strcmp(name, names[i]) == 0)
            out[i] = found = true;
    return found;
}
