/* tls.c -- sets OpenSSL up, and puts its errors into words.
 *
 * Why a certificate was refused is known only inside the handshake, to the callback that
 * OpenSSL asks about each finding; it puts that into words at once, and agrees with the
 * refusal. Everything else is in OpenSSL's queue of errors. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "net/ca.h"

#define REFUSAL_MAX 511 /* bytes of why a certificate was refused */

/* ------------------------------------------------------------- words for certificates */

static void say_name(struct err *words, const X509_NAME *name)
{
    char text[256] = "";
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio && name) {
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
        BIO_read(bio, text, sizeof(text) - 1);
    }
    BIO_free(bio);
    err_add(words, "\"%s\"", text);
}

static void say_time(struct err *words, const ASN1_TIME *time)
{
    struct tm tm = {0};
    char text[32];

    if (ASN1_TIME_to_tm(time, &tm) == 1 &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
        err_add(words, "%s", text);
    else
        err_add(words, "a time that cannot be read");
}

static void say_alternative(struct err *words, const GENERAL_NAME *alternative)
{
    char text[INET6_ADDRSTRLEN];

    if (alternative->type == GEN_DNS) {
        const ASN1_IA5STRING *name = alternative->d.dNSName;

        err_add(words, ", %.*s", ASN1_STRING_length(name),
                (const char *)ASN1_STRING_get0_data(name));
    } else if (alternative->type == GEN_IPADD) {
        const ASN1_OCTET_STRING *address = alternative->d.iPAddress;
        int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;

        if ((family == AF_INET || ASN1_STRING_length(address) == 16) &&
            inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)))
            err_add(words, ", %s", text);
    }
}

/* "its certificate is not for \"localhost\", but for CN=broker, a.example.com, ::1". */
static void say_names(struct err *words, const struct tls *tls, X509 *certificate)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    err_add(words, "the certificate is not for \"%s\", but for ", tls->name);
    say_name(words, X509_get_subject_name(certificate));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        say_alternative(words, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
}

/* `first`: it is the broker's own certificate, so none of its issuer came with it. */
static enum cause say_issuer(struct err *words, const struct tls *tls, bool first,
                             X509 *certificate)
{
    err_add(words,
            first ? "the broker sends its own certificate without that of the issuer "
                  : "unknown issuer: ");
    say_name(words, X509_get_issuer_name(certificate));
    err_add(words, "%s is not among the CAs of %s", first ? ", which" : "",
            tls->settings->bundle);
    return first ? CAUSE_TLS_INTERMEDIATE : CAUSE_TLS_ISSUER;
}

static enum cause say_refusal(struct err *words, const struct tls *tls, int error,
                              int depth, X509 *certificate)
{
    switch (certificate ? error : X509_V_ERR_UNSPECIFIED) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        err_add(words, "the certificate of ");
        say_name(words, X509_get_subject_name(certificate));
        err_add(words, " expired on ");
        say_time(words, X509_get0_notAfter(certificate));
        return CAUSE_TLS_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        err_add(words, "the certificate of ");
        say_name(words, X509_get_subject_name(certificate));
        err_add(words, " is not yet valid, before ");
        say_time(words, X509_get0_notBefore(certificate));
        return CAUSE_TLS_TOO_EARLY;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return say_issuer(words, tls, depth == 0, certificate);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return say_issuer(words, tls, false, certificate);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_names(words, tls, certificate);
        return CAUSE_TLS_NAME;
    default:
        err_add(words, "the certificate of ");
        say_name(words, certificate ? X509_get_subject_name(certificate) : NULL);
        err_add(words, " is refused: %s", X509_verify_cert_error_string(error));
        return CAUSE_TLS;
    }
}

/* ------------------------------------------------------------- watching a handshake */

static int on_verify(int ok, X509_STORE_CTX *verifying)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(verifying, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct err *refusal = &tls->refusal;

    if (ok)
        return ok;
    err_set(refusal, CAUSE_TLS, "%s", "");
    refusal->cause = say_refusal(refusal, tls, X509_STORE_CTX_get_error(verifying),
                                 X509_STORE_CTX_get_error_depth(verifying),
                                 X509_STORE_CTX_get_current_cert(verifying));
    refusal->text[REFUSAL_MAX] = '\0';
    for (char *c = refusal->text; *c; c++) /* it has text from the peer */
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return ok;
}

static void on_progress(const SSL *ssl, int where, int ignored)
{
    struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    (void)ignored;
    if (where & SSL_CB_HANDSHAKE_DONE) /* "TLSv1.3" */
        snprintf(tls->version, sizeof(tls->version), "%s", SSL_get_version(ssl) + 4);
}

static int on_certificate_wanted(SSL *ssl, void *tls)
{
    (void)ssl;
    ((struct tls *)tls)->asked = true;
    return 1;
}

/* ------------------------------------------------------------- setting up */

/* There is nobody to type a passphrase. */
static int no_passphrase(char *passphrase, int size, int writing, void *wanted)
{
    (void)passphrase, (void)size, (void)writing;
    *(bool *)wanted = true;
    return -1;
}

static bool fail_file(struct err *err, const char *variable, const char *path,
                      const char *expected)
{
    FILE *file = fopen(path, "r");

    if (!file)
        return err_set(err, CAUSE_TLS_FILE, "%s: %s: %s", variable, path,
                       strerror(errno));
    fclose(file);
    return err_set(err, CAUSE_TLS_FILE, "%s: %s: no %s in it (PEM)", variable, path,
                   expected);
}

static bool use_key(const struct tls_settings *settings, SSL_CTX *context,
                    struct err *err)
{
    bool locked = false;
    int used;

    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &locked);
    used = SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb(context, NULL);
    if (used == 1)
        return true;
    if (locked)
        return err_set(err, CAUSE_TLS_FILE,
                       "PIGEON_TLS_KEY_FILE: %s: the key has a passphrase, which Pigeon "
                       "cannot ask for",
                       settings->key);
    if (ERR_GET_LIB(ERR_peek_last_error()) ==
        ERR_LIB_X509) /* key and certificate do not match */
        return err_set(err, CAUSE_TLS_FILE,
                       "PIGEON_TLS_KEY_FILE: %s is not the key of the certificate in %s",
                       settings->key, settings->certificate);
    return fail_file(err, "PIGEON_TLS_KEY_FILE", settings->key, "private key");
}

static bool use_certificate(const struct tls_settings *settings, SSL_CTX *context,
                            struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
        return fail_file(err, "PIGEON_TLS_CERT_FILE", settings->certificate,
                         "certificate");
    return use_key(settings, context, err);
}

bool tls_open(struct tls_settings *settings, const struct config *config, struct err *err)
{
    SSL_CTX *context;
    bool ok = true;

    *settings = (struct tls_settings){
        .bundle = ca_find(config->tls_ca_file, config->ssl_cert_file, err),
        .certificate = config->tls_cert_file,
        .key = config->tls_key_file};
    if (settings->bundle && settings->certificate) {
        context = SSL_CTX_new(TLS_client_method());
        ok = context ? use_certificate(settings, context, err)
                     : err_set(err, CAUSE_MEMORY, "TLS: out of memory");
        SSL_CTX_free(context);
    }
    ok = ok && settings->bundle;
    if (!ok)
        err_advise(err);
    return ok;
}

bool tls_start(struct tls *tls, const struct tls_settings *settings, const char *name,
               struct ssl_ctx_st *context, struct err *err)
{
    X509_VERIFY_PARAM *verify = SSL_CTX_get0_param(context);

    *tls = (struct tls){.settings = settings, .name = name};
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_info_callback(context, on_progress);
    SSL_CTX_set_cert_cb(context, on_certificate_wanted, tls);
    tls->by_address = X509_VERIFY_PARAM_set1_ip_asc(verify, name) == 1;
    if (!tls->by_address && X509_VERIFY_PARAM_set1_host(verify, name, 0) != 1)
        return err_set(err, CAUSE_TLS, "\"%s\" cannot be the name of a certificate",
                       name);
    return ca_use(context, settings->bundle, err) &&
           (!settings->certificate || use_certificate(settings, context, err));
}

const char *tls_server_name(const struct tls *tls)
{
    return tls->by_address ? NULL : tls->name;
}

/* ------------------------------------------------------------- explaining */

/* Whether the peer's alert is about the client certificate. In TLS 1.2 the most
 * common alert may mean anything. */
static bool is_about_our_certificate(const struct tls *tls, int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return tls->asked;
    default:
        return false;
    }
}

static bool is_about_versions(int reason)
{
    return reason == SSL_R_UNSUPPORTED_PROTOCOL ||
           reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
           reason == SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY;
}

/* A broker that hangs up may take its alert with it (RabbitMQ's sockets linger for 0 s),
 * so an end without an alert, after the broker asked for a certificate, counts as a
 * refusal. */
void tls_explain(const struct tls *tls, struct err *err)
{
    int lost = errno;
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    const char *words = ERR_reason_error_string(error);
    bool ended = error == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;

    if (ended)
        words = lost != 0 ? strerror(lost) : "the broker's end closed the connection";
    if (tls->refusal.text[0])
        *err = tls->refusal;
    else if (is_about_our_certificate(tls, reason) || (tls->asked && ended))
        err_set(err,
                tls->settings->certificate ? CAUSE_TLS_CERTIFICATE
                                           : CAUSE_TLS_NO_CERTIFICATE,
                "the broker %s (%s)",
                !tls->settings->certificate ? "asks for a client certificate"
                : ended                     ? "seems to refuse the client certificate"
                                            : "refuses the client certificate",
                words ? words : "");
    else if (is_about_versions(reason))
        err_set(err, CAUSE_TLS_NOTHING_IN_COMMON,
                "no TLS version or cipher in common (%s)", words);
    else if (reason == SSL_R_WRONG_VERSION_NUMBER)
        err_set(err, CAUSE_TLS_NOT_SPOKEN, "the broker's port does not speak TLS");
    else if (ended && lost != 0)
        err_set(err, lost == ETIMEDOUT ? CAUSE_TLS_SILENCE : CAUSE_TLS,
                "connection lost: %s", words);
    else
        err_set(err, CAUSE_TLS, "%s",
                words ? words : "an error that OpenSSL does not name");
}
