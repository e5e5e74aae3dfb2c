/* function.c -- the function's process. */
#include "tools/lambda/function.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_file(const char *folder, const char *name)
{
    char path[PATH_MAX * 2];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return access(path, R_OK) == 0;
}

static void find_task_root(const char *command, char root[PATH_MAX])
{
    char *slash;

    if (strchr(command, '/') && realpath(command, root)) {
        *strrchr(root, '/') = '\0';
        if (has_file(root, getenv("_HANDLER")))
            return;
    }
    if (!realpath("/proc/self/exe", root))
        root[0] = '\0';
    do {
        slash = strrchr(root, '/');
        if (slash)
            *slash = '\0';
    } while (slash && !has_file(root, "rules/rules.lua"));
    if (strlen(root) + sizeof("/rules") <= PATH_MAX)
        strcat(root, "/rules");
}

void function_environment(const char *command)
{
    static const char *const defaults[][2] = {
        {"_HANDLER", "rules.lua"},
        {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
        {"AWS_REGION", "us-east-1"},
        {"AWS_DEFAULT_REGION", "us-east-1"},
        {"AWS_LAMBDA_FUNCTION_NAME", "pigeon"},
        {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
        {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
        {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/pigeon"},
        {"AWS_LAMBDA_LOG_STREAM_NAME",
         "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef"},
        {"TZ", ":UTC"},
        {"LANG", "en_US.UTF-8"},
    };
    char root[PATH_MAX];
    size_t i;

    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        setenv(defaults[i][0], defaults[i][1], 0);
    if (!getenv("LAMBDA_TASK_ROOT")) {
        find_task_root(command, root);
        setenv("LAMBDA_TASK_ROOT", root, 1);
    }
}

/* In the child. */
static void become(char **command, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(null, 0) == 0 && dup2(2, 1) == 1) {
        close(null);
        execvp(command[0], command);
        fprintf(stderr, "lambda: %s: %s\n", command[0], strerror(errno));
    }
    _exit(127);
}

bool function_start(struct function *function, char **command)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        return false;
    if (pid == 0)
        become(command, parent);
    setpgid(pid,
            pid); /* here too, so that it is done before anything signals the group */
    *function = (struct function){.pid = pid};
    return true;
}

bool function_ended(struct function *function)
{
    siginfo_t info = {0};

    if (!function->pid ||
        waitid(P_PID, (id_t)function->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return false;
    function_kill(function); /* and the processes that it started */
    function->unasked = true;
    return true;
}

void function_kill(struct function *function)
{
    kill(-function->pid, SIGKILL);
    waitpid(function->pid, &function->ending, 0);
    function->pid = 0;
}

const char *function_ending(const struct function *function)
{
    static const char signalled[] = "Runtime exited with error: signal: ";
    static char words[96];

    if (WIFSIGNALED(function->ending)) {
        snprintf(words, sizeof(words), "%s%s%s", signalled,
                 strsignal(WTERMSIG(function->ending)),
                 WCOREDUMP(function->ending) ? " (core dumped)" : "");
        words[sizeof(signalled) - 1] |= 0x20; /* "killed": AWS's words are those of Go */
        return words;
    }
    if (WEXITSTATUS(function->ending) == 0)
        return "Runtime exited without providing a reason";
    snprintf(words, sizeof(words), "Runtime exited with error: exit status %d",
             WEXITSTATUS(function->ending));
    return words;
}
