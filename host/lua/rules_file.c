/* rules_file.c -- reads a rules script, and recognises a program in its place. */
#include "lua/rules_file.h"

/* SHA256() and EVP would load OpenSSL's providers, which nothing else at the start needs.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1 << 20)

static bool is_program(const struct buffer *text)
{
    return text->len >= 4 && memcmp(text->data, "\177ELF", 4) == 0;
}

static void hash(const struct buffer *text, char *digits, size_t size)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, text->data, text->len);
    SHA256_Final(digest, &context);
    for (size_t i = 0; 2 * i + 2 < size; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
}

bool rules_file_read(struct rules_file *source, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    bool ok;

    *source = (struct rules_file){.text = {.max = TEXT_MAX}};
    snprintf(source->name, sizeof(source->name), "%.255s", slash ? slash + 1 : path);
    ok = buffer_read_file(&source->text, path, err);
    if (is_program(&source->text)) /* a program is too long for a script, too */
        return err_set(err, CAUSE_RULES, "%s is a program, not a Lua script", path);
    if (ok)
        hash(&source->text, source->hash, sizeof(source->hash));
    return ok;
}

bool rules_file_read_handler(struct rules_file *source, const char *path, struct err *err)
{
    if (rules_file_read(source, path, err))
        return true;
    if (is_program(&source->text))
        return err_set(err, CAUSE_RULES, "handler is `%s`; set it to rules.lua",
                       source->name);
    err->cause = CAUSE_RULES;
    return err_wrap(err, "handler is `%s`; set it to the rules script, rules.lua",
                    source->name);
}

void rules_file_free(struct rules_file *source)
{
    buffer_free(&source->text);
}
