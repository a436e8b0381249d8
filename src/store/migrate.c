/* Versions of the schema.
 * SPDX-License-Identifier: MIT */
#include "migrate.h"

#include "schema.h"
#include "syncd/store.h"

int migrate_create(struct env_txn *txn, const char *identity, struct error *err)
{
	struct buf version;
	int code = env_create(txn, err);

	if (code != 0)
		return code;
	buf_init(&version, PACK_VALUE_MAX);
	pack_u32(&version, STORE_SCHEMA);
	code = env_put(txn, TABLE_META, schema_version_key, buf_slice(&version), err);
	buf_free(&version);
	if (code != 0)
		return code;
	return env_put(txn, TABLE_META, schema_account_key, slice_of(identity), err);
}

int migrate_check(struct env_txn *txn, struct error *err)
{
	uint32_t version;
	int code = schema_get_u32(txn, schema_version_key, 0, &version, err);

	if (code != 0)
		return code;
	if (version == 0)
		return env_damaged(env_of(txn), "its schema version is missing", err);
	if (version > STORE_SCHEMA)
		return error_set(
			err, SYNCD_EIO,
			"the state was written by a newer syncd (schema %u, this one knows "
			"%d): use that version, or move the state away to have it built "
			"again",
			(unsigned)version, STORE_SCHEMA);
	return 0;
}
