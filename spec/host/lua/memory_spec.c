/* The spec of host/lua/memory.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <string.h>

#include "lua/memory.h"

#define MEGABYTE ((size_t)1 << 20)
#define ROOM (MEGABYTE / 4 * 3) /* of a function with 1 MB */
#define REACH (ROOM / 8 * 7)    /* the part that the rules may use */

/* Memory that runs out is tried here, so it must not end the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct memory memory;

static int setup(void **state)
{
    (void)state;
    memory_open(&memory, 1);
    return 0;
}

static void *resize(void *block, size_t old, size_t new)
{
    return memory_alloc(&memory, block, old, new);
}

static void the_room_is_128_megabytes_or_less_in_a_small_function(void **state)
{
    static const struct {
        long memory_mb;
        size_t room;
    } cases[] = {
        {0, 128 * MEGABYTE},  {10240, 128 * MEGABYTE}, {171, 128 * MEGABYTE},
        {128, 96 * MEGABYTE}, {4, 3 * MEGABYTE},       {1, ROOM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memory_open(&memory, cases[i].memory_mb);
        assert_int_equal(memory.room, cases[i].room);
        assert_int_equal(memory.limit, cases[i].room);
        assert_int_equal(memory.bytes, 0);
    }
}

static void a_visit_may_use_what_it_was_allowed_and_no_more(void **state)
{
    void *first, *second;

    (void)state;
    first = resize(NULL, 0, 1000);
    memory_allow(&memory, 100);
    second = resize(NULL, 0, 99);
    assert_non_null(second);
    assert_null(resize(NULL, 0, 2));
    second = resize(second, 99, 100);
    assert_non_null(second);
    assert_null(resize(second, 100, 101));
    assert_int_equal(memory.bytes, 1100);

    memory_allow(&memory, 100); /* above what is in use now */
    second = resize(second, 100, 200);
    assert_non_null(second);
    assert_null(resize(second, 200, 201));
    resize(first, 1000, 0);
    resize(second, 200, 0);
    assert_int_equal(memory.bytes, 0);
}

static void a_refusal_is_remembered_until_the_next_visit(void **state)
{
    (void)state;
    memory_allow(&memory, 10);
    assert_false(memory.refused);
    assert_null(resize(NULL, 0, 11));
    assert_true(memory.refused);
    resize(resize(NULL, 0, 5), 5, 0);
    assert_true(memory.refused);
    memory_allow(&memory, 10);
    assert_false(memory.refused);
}

static void assert_reach(size_t most)
{
    void *block = resize(NULL, 0, most);

    assert_non_null(block);
    assert_null(resize(block, most, most + 1));
    assert_int_equal(memory.bytes, most);
    resize(block, most, 0);
}

static void the_rules_do_not_reach_the_last_eighth_of_the_room(void **state)
{
    (void)state;
    memory_allow(&memory, 64 * MEGABYTE);
    assert_reach(REACH);
    memory_allow(&memory, MEMORY_ALL - 1);
    assert_reach(REACH);
    memory_allow(&memory, MEMORY_ALL);
    assert_reach(ROOM);
}

static void what_was_loaded_and_the_input_lift_the_ceiling(void **state)
{
    (void)state;
    memory.base = 3000;
    memory.input = 200;
    memory_allow(&memory, MEMORY_ALL);
    assert_reach(ROOM + 3200);
    memory_allow(&memory, 64 * MEGABYTE);
    assert_reach(REACH + 3200);
    memory.input = 0;
    memory_allow(&memory, MEMORY_ALL);
    assert_reach(ROOM + 3000);
}

static void above_the_ceiling_nothing_is_allowed_but_to_shrink(void **state)
{
    void *block;

    (void)state;
    memory.input = MEGABYTE;
    memory_allow(&memory, MEMORY_ALL);
    block = resize(NULL, 0, ROOM + 1000);
    memory.input = 0;
    memory_allow(&memory, 100);
    assert_null(resize(NULL, 0, 1));
    assert_null(resize(block, ROOM + 1000, ROOM + 1001));
    memory.refused = false;
    block = resize(block, ROOM + 1000, ROOM + 500);
    assert_non_null(block);
    assert_int_equal(memory.bytes, ROOM + 500);
    block = resize(block, ROOM + 500, ROOM + 500);
    assert_non_null(block);
    assert_false(memory.refused);
    assert_null(resize(block, ROOM + 500, 0));
    assert_int_equal(memory.bytes, 0);
    assert_false(memory.refused);
}

/* For a new block, Lua passes its kind instead of an old size. */
static void the_kind_of_a_new_block_is_not_counted(void **state)
{
    void *block = resize(NULL, LUA_TTABLE, 100);

    (void)state;
    assert_non_null(block);
    assert_int_equal(memory.bytes, 100);
    resize(block, 100, 0);
    assert_null(resize(NULL, LUA_TTABLE, 0));
    assert_int_equal(memory.bytes, 0);
}

static void memory_that_the_system_refuses_is_refused(void **state)
{
    volatile size_t too_much = SIZE_MAX / 2;
    void *block;

    (void)state;
    memory.input = SIZE_MAX / 4 * 3;
    memory_allow(&memory, MEMORY_ALL);
    block = resize(NULL, 0, 10);
    assert_false(memory.refused);
    assert_null(resize(block, 10, too_much));
    assert_true(memory.refused);
    assert_int_equal(memory.bytes, 10);
    resize(block, 10, 0);
}

static void more_than_half_of_the_ceiling_is_a_strain(void **state)
{
    (void)state;
    memory.base = 1000;
    memory.bytes = (ROOM + 1000) / 2;
    assert_false(memory_strained(&memory));
    memory.bytes++;
    assert_true(memory_strained(&memory));
    memory.input = 2;
    assert_false(memory_strained(&memory));
}

static void more_than_the_rules_may_reach_is_overdrawn(void **state)
{
    (void)state;
    memory.base = 1000;
    memory.input = 200;
    memory.bytes = REACH + 1200;
    assert_false(memory_overdrawn(&memory));
    memory.bytes++;
    assert_true(memory_overdrawn(&memory));
    memory.input = 201;
    assert_false(memory_overdrawn(&memory));
}

static void above_the_ceiling_a_visit_might_use_nothing(void **state)
{
    (void)state;
    memory_allow(&memory, 100);
    assert_int_equal(memory_allowed(&memory), 100);
    memory.bytes = REACH - 10;
    memory_allow(&memory, 100);
    assert_int_equal(memory_allowed(&memory), 10);
    memory.bytes = REACH + 10;
    memory_allow(&memory, 100);
    assert_int_equal(memory_allowed(&memory), 0);
}

static void lua_gives_back_every_byte(void **state)
{
    lua_State *L;

    (void)state;
    memory_open(&memory, 0);
    L = lua_newstate(memory_alloc, &memory);
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "local t = {} for i = 1, 1000 do\n"
                                      "t[i] = { key = ('x'):rep(i) } end\n"
                                      "t = nil collectgarbage()"),
                     LUA_OK);
    assert_in_range(memory.bytes, 10000, 100000);
    lua_close(L);
    assert_int_equal(memory.bytes, 0);
}

static void lua_collects_before_it_fails_and_goes_on_after_it(void **state)
{
    lua_State *L;

    (void)state;
    memory_open(&memory, 0);
    L = lua_newstate(memory_alloc, &memory);
    luaL_openlibs(L);
    lua_gc(L, LUA_GCSTOP);
    assert_int_equal(luaL_loadstring(L, "local s = ('x'):rep(50000)\n"
                                        "for i = 1, 100 do local t = s .. i end"),
                     LUA_OK);
    memory_allow(&memory, MEGABYTE);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    assert_true(memory.refused); /* and the call succeeded */

    assert_int_equal(luaL_loadstring(L, "return ('x'):rep(2000000)"), LUA_OK);
    memory_allow(&memory, MEGABYTE);
    assert_int_not_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    assert_true(memory.refused);

    assert_int_equal(luaL_loadstring(L, "return 1 + 1"), LUA_OK);
    memory_allow(&memory, MEGABYTE);
    assert_int_equal(lua_pcall(L, 0, 1, 0), LUA_OK);
    assert_int_equal(lua_tointeger(L, -1), 2);
    assert_false(memory.refused);
    lua_close(L);
    assert_int_equal(memory.bytes, 0);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_room_is_128_megabytes_or_less_in_a_small_function),
        CASE(a_visit_may_use_what_it_was_allowed_and_no_more),
        CASE(a_refusal_is_remembered_until_the_next_visit),
        CASE(the_rules_do_not_reach_the_last_eighth_of_the_room),
        CASE(what_was_loaded_and_the_input_lift_the_ceiling),
        CASE(above_the_ceiling_nothing_is_allowed_but_to_shrink),
        CASE(the_kind_of_a_new_block_is_not_counted),
        CASE(memory_that_the_system_refuses_is_refused),
        CASE(more_than_half_of_the_ceiling_is_a_strain),
        CASE(more_than_the_rules_may_reach_is_overdrawn),
        CASE(above_the_ceiling_a_visit_might_use_nothing),
        CASE(lua_gives_back_every_byte),
        CASE(lua_collects_before_it_fails_and_goes_on_after_it),
    };

    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
