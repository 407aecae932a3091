/* openssl.h - OpenSSL's headers beside base/errors.h: both name an ERR_STATE, and ours is the one that is used here. */
#ifndef LOA_LINK_OPENSSL_H
#define LOA_LINK_OPENSSL_H

#define ERR_STATE openssl_err_state
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
