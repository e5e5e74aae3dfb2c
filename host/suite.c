/* suite.c -- the embedded modules as one Lua file, in memory, that then runs busted.
 *
 * So nothing is unpacked and nothing has to be removed: Lua reads /dev/fd/N. */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modules.h"

#define INTERPRETER "lua5.4"
#define FIXED 3 /* words before those that were given */

static const char start[] =
    "local ok, run = pcall(require, 'busted.runner')\n"
    "if not ok then\n"
    "  io.stderr:write('pigeon test: busted for Lua 5.4 is missing: "
    "apt-get install lua-busted lua-cjson\\n')\n"
    "  os.exit(1)\n"
    "end\n"
    "run({ standalone = false })\n";

/* Every byte as an escape: nothing in a module can end the string. */
static void write_module(FILE *file, const struct module *module)
{
    fprintf(file, "package.preload['%s'] = function(...)\nreturn assert(load('",
            module->name);
    for (size_t i = 0; i < module->len; i++)
        fprintf(file, "\\%03d", module->bytes[i]);
    fprintf(file, "', '=%s', 't'))(...)\nend\n", module->name);
}

static int write_program(struct err *err)
{
    int fd = memfd_create("pigeon", 0);
    FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");
    bool ok;

    if (!file) {
        err_set(err, "no file in memory: %s", strerror(errno));
        return -1;
    }
    for (const struct module *module = modules; module->name; module++)
        write_module(file, module);
    fputs(start, file);
    ok = !ferror(file);
    if (fclose(file) == 0 && ok)
        return fd;
    err_set(err, "the file in memory could not be written");
    return -1;
}

/* What busted looks at by itself. */
static bool has_default(void)
{
    return access(".busted", R_OK) == 0 || access("spec", R_OK) == 0;
}

bool suite_exec(int count, char *const *words, struct err *err)
{
    char **arguments = calloc((size_t)count + FIXED + 2, sizeof(*arguments));
    char here[] = ".", program[32];
    char *fixed[FIXED] = {INTERPRETER, program, "--ignore-lua"};
    int fd = write_program(err);

    if (fd < 0 || !arguments)
        return fd < 0 ? false : err_set(err, "out of memory");
    snprintf(program, sizeof(program), "/dev/fd/%d", fd);
    memcpy(arguments, fixed, sizeof(fixed));
    for (int i = 0; i < count; i++)
        arguments[FIXED + i] = words[i];
    if (count == 0 && !has_default())
        arguments[FIXED] = here;
    execvp(INTERPRETER, arguments);
    err_set(err, "%s: %s; apt-get install lua5.4 lua-busted lua-cjson", INTERPRETER,
            strerror(errno));
    free(arguments);
    return false;
}
