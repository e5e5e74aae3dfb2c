/* page.c -- a new file beside the old one, and a rename.
 *
 * Where there is a symbolic link, the file that it leads to is replaced. A page keeps the
 * mode of the file in whose place it comes. */
#include "desk/page.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0666

static bool fail(const char *path, const char *why, struct err *err)
{
    return err_set(err, CAUSE_OTHER, "--html %s: %s", path, why);
}

bool page_check(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    struct stat info;
    bool exists = stat(path, &info) == 0;

    if (!exists && errno != ENOENT)
        return fail(path, strerror(errno), err);
    if (exists && !S_ISREG(info.st_mode))
        return fail(path, "is not a file that can be replaced", err);
    if (exists && access(path, W_OK) != 0)
        return fail(path, strerror(errno), err);
    snprintf(folder, sizeof(folder), "%s", path);
    if (access(dirname(folder), W_OK | X_OK) == 0)
        return true;
    return err_set(err, CAUSE_OTHER, "--html %s: no file can be made in its folder: %s",
                   path, strerror(errno));
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    mode_t mask;

    if (stat(path, &info) == 0)
        return info.st_mode & 07777;
    mask = umask(0);
    umask(mask);
    return MODE & ~mask;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return true;
}

/* Into a file of a name that is not taken yet; it is gone where it could not be
 * completed. */
static bool replace(const char *target, const struct buffer *page)
{
    char folder[PATH_MAX], beside[PATH_MAX + 32];
    int fd, why = 0;

    snprintf(folder, sizeof(folder), "%s", target);
    snprintf(beside, sizeof(beside), "%s/.pigeon-page.XXXXXX", dirname(folder));
    fd = mkstemp(beside);
    if (fd < 0)
        return false;
    if (fchmod(fd, mode_of(target)) != 0 || !write_all(fd, page->data, page->len))
        why = errno;
    if (close(fd) != 0 && why == 0)
        why = errno;
    if (why == 0 && rename(beside, target) != 0)
        why = errno;
    if (why == 0)
        return true;
    unlink(beside);
    errno = why;
    return false;
}

bool page_write(const char *path, const struct buffer *page, struct err *err)
{
    char target[PATH_MAX];

    if (!realpath(path, target))
        snprintf(target, sizeof(target), "%s", path);
    return replace(target, page) ||
           err_set(err, CAUSE_OTHER, "--html %s: the page could not be written: %s", path,
                   strerror(errno));
}
