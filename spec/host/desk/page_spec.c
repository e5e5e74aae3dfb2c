/* The spec of host/desk/page.c; spec/system/page_spec.lua has full disks and rights. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asserts.h"
#include "desk/page.h"

static char folder[64], path[PATH_MAX];
static struct buffer page = {.max = SIZE_MAX};
static struct err err;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/page_spec.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/page.html", folder);
    err = (struct err){0};
    buffer_clear(&page);
    return buffer_append_text(&page, "<p>new") ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    buffer_free(&page);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void write_old(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *text)
{
    struct buffer found = {.max = 1000};

    assert_true(buffer_read_file(&found, path, &err));
    assert_string_equal(found.data, text);
    buffer_free(&found);
}

static int files(void)
{
    DIR *all = opendir(folder);
    int count = -2; /* "." and ".." */

    assert_non_null(all);
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

static void a_page_is_a_new_file(void **state)
{
    struct stat info;
    mode_t mask = umask(027);

    (void)state;
    assert_true(page_check(path, &err));
    assert_int_equal(files(), 0);
    assert_true(page_write(path, &page, &err));
    umask(mask);
    assert_file("<p>new");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(files(), 1);
}

static void or_comes_in_the_place_of_an_old_one(void **state)
{
    struct stat info;

    (void)state;
    write_old("a longer old page");
    assert_int_equal(chmod(path, 0604), 0);
    assert_true(page_check(path, &err));
    assert_true(page_write(path, &page, &err));
    assert_file("<p>new");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0604);
    assert_int_equal(files(), 1);
}

static void where_a_link_leads_to(void **state)
{
    char link[PATH_MAX];
    struct stat info;

    (void)state;
    write_old("old");
    snprintf(link, sizeof(link), "%s/link.html", folder);
    assert_int_equal(symlink("page.html", link), 0);
    assert_true(page_check(link, &err));
    assert_true(page_write(link, &page, &err));
    assert_file("<p>new");
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(files(), 2);
}

static void only_a_file_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(page_check(path, &err));
    assert_has(err.text, "page.html: is not a file that can be replaced");
    err = (struct err){0};
    assert_false(page_write(path, &page, &err));
    assert_has(err.text, "page.html: the page could not be written: Is a");
    assert_int_equal(files(), 1);
    err = (struct err){0};
    assert_false(page_check("/dev/full", &err));
    assert_has(err.text, "--html /dev/full: is not a file");
}

static void a_folder_has_to_be_there(void **state)
{
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    assert_false(page_check(path, &err));
    assert_has(err.text, "no file can be made in its folder: No such file");
    err = (struct err){0};
    assert_false(page_write(path, &page, &err));
    assert_has(err.text, "page.html: the page could not be written: No such");
}

static void a_name_can_be_too_long(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "%s/%0300d.html", folder, 1);
    assert_false(page_check(path, &err));
    assert_has(err.text, "File name too long");
    err = (struct err){0};
    assert_false(page_write(path, &page, &err));
    assert_has(err.text, "File name too long");
}

#define PAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE(a_page_is_a_new_file),     PAGE(or_comes_in_the_place_of_an_old_one),
        PAGE(where_a_link_leads_to),    PAGE(only_a_file_is_replaced),
        PAGE(a_folder_has_to_be_there), PAGE(a_name_can_be_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
