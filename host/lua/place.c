/* place.c -- looks at Lua's stack, read only.
 *
 * A signal can come between any two machine instructions, also where Lua changes its
 * stack. So place_prepare() only sets a hook (lua_sethook() may be called from a signal
 * handler, as lua.c does), and Lua calls that before its next instruction, where the
 * stack is sound; the hook notes the line and puts the former hook back. A hook that has
 * not been called since shows that Lua has executed no instruction since: it is inside
 * one call of a C function, such as string.find, and its stack is at rest. The handler
 * that ends the process reads the stack itself. What remains is a signal within the few
 * nanoseconds in which that call returns: the process, which is ending, may end there
 * without its line. */
#include "lua/place.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define MOST_LEVELS 100 /* of calls within calls in which the script is looked for */

static struct {
    lua_State *volatile L;
    const char *volatile script;
    volatile sig_atomic_t armed; /* the hook is set, and has not been called */
    volatile sig_atomic_t line;  /* that the hook noted */
} place;

/* The hook that was there before. */
static struct {
    lua_Hook hook;
    int mask;
    int count;
} former;

void place_follow(lua_State *L, const char *script)
{
    place.L = NULL;
    place.script = script;
    place.armed = 0;
    place.line = 0;
    place.L = script ? L : NULL;
}

/* The innermost line of the script; what it calls is above. */
int place_line(void)
{
    lua_Debug frame;

    for (int level = 0; place.L && level < MOST_LEVELS; level++) {
        if (!lua_getstack(place.L, level, &frame) ||
            !lua_getinfo(place.L, "Sl", &frame)) /* neither needs memory */
            return 0;
        if (frame.source[0] == '@' && strcmp(frame.source + 1, place.script) == 0)
            return frame.currentline > 0 ? frame.currentline : 0;
    }
    return 0;
}

static void on_instruction(lua_State *L, lua_Debug *frame)
{
    (void)frame;
    place.line = place_line();
    place.armed = 0;
    lua_sethook(L, former.hook, former.mask, former.count);
}

void place_prepare(void)
{
    if (!place.L || place.armed)
        return;
    former.hook = lua_gethook(place.L);
    former.mask = lua_gethookmask(place.L);
    former.count = lua_gethookcount(place.L);
    place.armed = 1;
    lua_sethook(place.L, on_instruction, LUA_MASKCOUNT, 1);
}

int place_at_the_end(void)
{
    return place.armed ? place_line() : (int)place.line;
}
