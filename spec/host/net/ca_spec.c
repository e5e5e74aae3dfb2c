/* The spec of host/net/ca.c. It writes bundles, and lets OpenSSL verify chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/ca.h"

#define DAY_S 86400L

static char folder[32];
static char path[64];
static FILE *file;

/* ------------------------------------------------------------- certificates */

/* The name "CN=...", as a string of this ASN.1 type. */
static X509_NAME *name_of(const char *common_name, int type)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(
                         name, "CN", type, (const unsigned char *)common_name, -1, -1, 0),
                     1);
    return name;
}

/* The id of the own or the issuer's key: how OpenSSL tells CAs of the same name apart. */
static void add_key_id(X509 *x, int extension, EVP_PKEY *whose)
{
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    int len = i2d_PublicKey(whose, &der);

    EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha1(), NULL);
    ASN1_OCTET_STRING_set(id, digest, 20);
    authority->keyid = id;
    X509_add1_ext_i2d(x, extension,
                      extension == NID_authority_key_identifier ? (void *)authority : id,
                      0, X509V3_ADD_DEFAULT);
    AUTHORITY_KEYID_free(authority);
    OPENSSL_free(der);
}

/* Valid for `days` from yesterday on; less than 1: it has expired. */
static X509 *certify(const char *subject, EVP_PKEY *own_key, const char *issuer,
                     EVP_PKEY *issuer_key, bool ca, long days)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_NAME *subject_name = name_of(subject, MBSTRING_ASC);
    X509_NAME *issuer_name = name_of(issuer, MBSTRING_ASC);
    X509_EXTENSION *basic = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                                ca ? "critical,CA:TRUE" : "CA:FALSE");

    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_set_subject_name(x, subject_name);
    X509_set_issuer_name(x, issuer_name);
    X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(x), (days - 1) * DAY_S);
    X509_set_pubkey(x, own_key);
    X509_add_ext(x, basic, -1);
    add_key_id(x, NID_subject_key_identifier, own_key);
    add_key_id(x, NID_authority_key_identifier, issuer_key);
    assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
    X509_EXTENSION_free(basic);
    X509_NAME_free(subject_name);
    X509_NAME_free(issuer_name);
    return x;
}

/* A self-signed CA. */
static X509 *root(const char *name, EVP_PKEY *own_key)
{
    return certify(name, own_key, name, own_key, true, 30);
}

static EVP_PKEY *key, *other_key;

/* ------------------------------------------------------------- a bundle */

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/trust_spec.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/bundle.pem", folder);
    file = fopen(path, "w");
    key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    return file && key && other_key ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (file)
        fclose(file);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    unlink(path);
    return rmdir(folder);
}

/* Appends a certificate, and frees it. */
static void put(X509 *x)
{
    assert_int_equal(PEM_write_X509(file, x), 1);
    X509_free(x);
}

static void put_text(const char *text)
{
    assert_true(fputs(text, file) >= 0);
}

/* Replaces each `from` in the bundle by `to`. */
static void rewrite(const char *from, const char *to)
{
    static char text[65536];
    size_t len;
    char *at = text, *found;

    assert_int_equal(fflush(file), 0);
    file = freopen(path, "r", file);
    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    file = freopen(path, "w", file);
    assert_non_null(file);
    for (; (found = strstr(at, from)); at = found + strlen(from))
        fprintf(file, "%.*s%s", (int)(found - at), at, to);
    fputs(at, file);
}

/* OpenSSL's result for a chain against the bundle: X509_V_OK or an error. Frees the
 * chain's certificates. */
static int verdict(X509 *leaf, X509 *intermediate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509_STORE_CTX *verifying = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct err err = {0};
    int error;

    assert_int_equal(fflush(file), 0);
    ERR_clear_error();
    assert_true(ca_use(context, path, &err));
    if (intermediate)
        sk_X509_push(chain, intermediate);
    X509_STORE_CTX_init(verifying, SSL_CTX_get_cert_store(context), leaf, chain);
    X509_STORE_CTX_set_default(verifying, "ssl_server");
    if (X509_verify_cert(verifying) != 1)
        assert_int_not_equal(X509_STORE_CTX_get_error(verifying), X509_V_OK);
    error = X509_STORE_CTX_get_error(verifying);
    X509_STORE_CTX_free(verifying);
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    SSL_CTX_free(context);
    return error;
}

/* A leaf that `issuer` certified with `key`. */
static int verdict_on_leaf_of(const char *issuer)
{
    return verdict(certify("leaf", other_key, issuer, key, false, 30), NULL);
}

#define UNKNOWN X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY

/* ------------------------------------------------------------- specs */

static void finds_the_issuer_among_others(void **state)
{
    (void)state;
    put(root("one", other_key));
    put(root("two", key));
    put(root("three", other_key));
    assert_int_equal(verdict_on_leaf_of("two"), X509_V_OK);
    assert_int_equal(verdict_on_leaf_of("four"), UNKNOWN);
}

static void finds_the_issuer_of_an_intermediate(void **state)
{
    EVP_PKEY *own = EVP_EC_gen("P-256");

    (void)state;
    put(root("two", key));
    assert_int_equal(verdict(certify("leaf", own, "between", other_key, false, 30),
                             certify("between", other_key, "two", key, true, 30)),
                     X509_V_OK);
    EVP_PKEY_free(own);
}

/* CAs of both keys have the same name; the signer is found in either order. */
static void finds_every_certificate_of_a_subject(void **state)
{
    (void)state;
    put(root("same", other_key));
    put(root("same", key));
    put(root("same", other_key));
    assert_int_equal(verdict_on_leaf_of("same"), X509_V_OK);
}

static void prefers_the_renewed_one(void **state)
{
    (void)state;
    put(certify("renewed", key, "renewed", key, true, 0));
    put(root("renewed", key));
    put(certify("renewed", key, "renewed", key, true, 0));
    assert_int_equal(verdict_on_leaf_of("renewed"), X509_V_OK);
}

static void takes_one_that_is_there_twice(void **state)
{
    X509 *twice = root("twice", key);

    (void)state;
    X509_up_ref(twice);
    put(twice);
    put(twice);
    assert_int_equal(verdict_on_leaf_of("twice"), X509_V_OK);
}

/* RFC 5280, 7.1. */
static void names_need_not_be_the_same_bytes(void **state)
{
    X509 *leaf = certify("leaf", other_key, "?", key, false, 30);
    X509_NAME *issuer = name_of("  some   ROOT ", V_ASN1_UTF8STRING);

    (void)state;
    put(root("Some Root", key));
    X509_set_issuer_name(leaf, issuer);
    assert_true(X509_sign(leaf, key, EVP_sha256()) > 0);
    X509_NAME_free(issuer);
    assert_int_equal(verdict(leaf, NULL), X509_V_OK);
}

static void an_old_certificate_has_no_version(void **state)
{
    X509 *old = root("old", key);

    (void)state;
    X509_set_version(old, X509_VERSION_1);
    while (X509_get_ext_count(old) > 0)
        X509_EXTENSION_free(X509_delete_ext(old, 0));
    assert_true(X509_sign(old, key, EVP_sha256()) > 0);
    put(old);
    assert_int_equal(verdict_on_leaf_of("old"), X509_V_OK);
}

static void text_between_the_blocks_is_no_matter(void **state)
{
    (void)state;
    put_text("# A comment -----BEGIN with dashes\n\nsubject=CN = one\n");
    put(root("one", other_key));
    put_text(
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n# \xff -----\n");
    put(root("two", key));
    put_text("the end, without a newline");
    assert_int_equal(verdict_on_leaf_of("two"), X509_V_OK);
}

static void lines_may_end_as_on_windows(void **state)
{
    (void)state;
    put(root("one", other_key));
    put(root("two", key));
    rewrite("\n", "\r\n");
    assert_int_equal(verdict_on_leaf_of("two"), X509_V_OK);
}

static void broken_blocks_are_passed_over(void **state)
{
    static const char *const broken[] = {
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIBqzCCAVG\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIAwgAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n--",
        "-----BEGIN ",
        "-----END CERTIFICATE-----\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        put_text(broken[i]);
    put(root("two", key));
    put_text("-----BEGIN CERTIFICATE-----\nMIIB");
    assert_int_equal(verdict_on_leaf_of("two"), X509_V_OK);
    assert_int_equal(ERR_peek_error(), 0);
}

/* Where the subject is right, but the key is broken, another certificate is found. */
static void a_match_that_does_not_decode_is_passed_over(void **state)
{
    unsigned char *der = NULL;
    X509 *half = root("half", key);
    int len = i2d_X509(half, &der);

    (void)state;
    memset(der + len / 2, 0xff, 60); /* after the subject: the public key */
    PEM_write(file, "CERTIFICATE", "", der, len);
    OPENSSL_free(der);
    X509_free(half);
    assert_int_equal(verdict_on_leaf_of("half"), UNKNOWN);
    put(root("half", key));
    assert_int_equal(verdict_on_leaf_of("half"), X509_V_OK);
}

static void knows_openssls_own_kind_of_block(void **state)
{
    X509 *good = root("good", key);
    X509 *bad = root("bad", key);

    (void)state;
    X509_add1_trust_object(good, OBJ_nid2obj(NID_server_auth));
    X509_add1_reject_object(bad, OBJ_nid2obj(NID_anyExtendedKeyUsage));
    PEM_write_X509_AUX(file, good);
    PEM_write_X509_AUX(file, bad);
    X509_free(good);
    X509_free(bad);
    assert_int_equal(verdict_on_leaf_of("good"), X509_V_OK);
    assert_int_equal(verdict_on_leaf_of("bad"), X509_V_ERR_CERT_REJECTED);
}

static void a_bundle_without_a_certificate_is_an_error(void **state)
{
    static const char *const texts[] = {
        "", "no PEM at all\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct err err;
    char words[128];

    (void)state;
    snprintf(words, sizeof(words), "%s: no certificate in it (PEM)", path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        file = freopen(path, "w", file);
        put_text(texts[i]);
        fflush(file);
        err = (struct err){0};
        assert_false(ca_use(context, path, &err));
        assert_string_equal(err.text, words);
    }
    assert_false(ca_use(context, "/nowhere/ca.pem", &err));
    assert_string_equal(err.text, "/nowhere/ca.pem: No such file or directory");
    SSL_CTX_free(context);
}

static void the_machines_own_bundle_is_read(void **state)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct err err = {0};
    const char *bundle = ca_find(NULL, NULL, &err);

    (void)state;
    assert_non_null(bundle);
    assert_true(ca_use(context, bundle, &err));
    SSL_CTX_free(context);
}

/* ------------------------------------------------------------- which file */

static void the_named_file_is_taken(void **state)
{
    struct err err = {0};

    (void)state;
    assert_string_equal(ca_find(path, "/nowhere", &err), path);
    assert_string_equal(ca_find(NULL, path, &err), path);
    assert_string_equal(ca_find("", path, &err), path);
    assert_non_null(ca_find("", "", &err));
}

static void a_named_file_that_cannot_be_read_is_an_error(void **state)
{
    struct err err = {0};
    char words[128];

    (void)state;
    assert_null(ca_find("/nowhere/ca.pem", path, &err));
    assert_string_equal(err.text,
                        "PIGEON_TLS_CA_FILE: /nowhere/ca.pem: No such file or directory");
    assert_string_equal(err_type(&err), "ValueError");
    assert_null(ca_find(NULL, folder, &err));
    snprintf(words, sizeof(words), "SSL_CERT_FILE: %s: Is a directory", folder);
    assert_string_equal(err.text, words);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest specs[] = {
        CASE(finds_the_issuer_among_others),
        CASE(finds_the_issuer_of_an_intermediate),
        CASE(finds_every_certificate_of_a_subject),
        CASE(prefers_the_renewed_one),
        CASE(takes_one_that_is_there_twice),
        CASE(names_need_not_be_the_same_bytes),
        CASE(an_old_certificate_has_no_version),
        CASE(text_between_the_blocks_is_no_matter),
        CASE(lines_may_end_as_on_windows),
        CASE(broken_blocks_are_passed_over),
        CASE(a_match_that_does_not_decode_is_passed_over),
        CASE(knows_openssls_own_kind_of_block),
        CASE(a_bundle_without_a_certificate_is_an_error),
        CASE(the_machines_own_bundle_is_read),
        CASE(the_named_file_is_taken),
        CASE(a_named_file_that_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests_name("ca", specs, NULL, NULL);
}
