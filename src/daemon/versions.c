/* What --version prints.
 * SPDX-License-Identifier: MIT */
#include "syncd/versions.h"

#include <confuse.h>
#include <gsasl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>
#include <zlib.h>

#include "syncd/store.h"

void versions_print(const char *program)
{
	(void)printf("%s %s\n", program, SYNCD_VERSION);
	(void)printf("libuv %s, %s, %s, GNU SASL %s, libConfuse %s, Jansson %s, zlib %s\n",
		     uv_version_string(), OpenSSL_version(OPENSSL_VERSION), store_engine_version(),
		     gsasl_check_version(NULL), confuse_version, jansson_version_str(),
		     zlibVersion());
}
