/* Modified UTF-7: printable ASCII as itself, "&" as "&-", all else as UTF-16
 * in base64 (with "," for "/") between "&" and "-".
 * SPDX-License-Identifier: MIT */
#include "syncd/imap_utf7.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "syncd/error.h"

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* --- UTF-8 ---------------------------------------------------------------- */

/* Takes one character: RFC 3629 §4, so no overlong form, surrogate or value
 * beyond U+10FFFF. */
static bool take_utf8(struct slice *text, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *)text->data;
	size_t more = at[0] < 0x80 ? 0 : at[0] < 0xc0 ? 4 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;

	if (more == 4 || at[0] > 0xf4 || text->len <= more)
		return false;
	*c = more == 0 ? at[0] : at[0] & (0x3fu >> more);
	for (size_t i = 1; i <= more; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return false;
		*c = *c << 6 | (at[i] & 0x3fu);
	}
	text->data += more + 1;
	text->len -= more + 1;
	return *c >= least[more] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}

static int add_utf8(struct buf *out, uint32_t c)
{
	unsigned char bytes[4];
	size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	if (more == 0)
		return buf_add_char(out, (char)c);
	for (size_t i = more; i > 0; i--) {
		bytes[i] = (unsigned char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	bytes[0] = (unsigned char)((0xff00u >> (more + 1) & 0xffu) | c);
	return buf_add(out, bytes, more + 1);
}

/* --- Encoding ------------------------------------------------------------- */

/* Bits waiting for a base64 digit. */
struct shift {
	uint32_t bits;
	unsigned count;
};

static int add_unit(struct shift *shift, uint32_t unit, struct buf *out)
{
	int rc = 0;

	shift->bits = shift->bits << 16 | unit;
	shift->count += 16;
	while (rc == 0 && shift->count >= 6) {
		shift->count -= 6;
		rc = buf_add_char(out, base64[shift->bits >> shift->count & 0x3f]);
	}
	return rc;
}

static int add_shifted(struct shift *shift, uint32_t c, struct buf *out)
{
	if (c < 0x10000)
		return add_unit(shift, c, out);
	c -= 0x10000;
	int rc = add_unit(shift, 0xd800 | c >> 10, out);
	return rc == 0 ? add_unit(shift, 0xdc00 | (c & 0x3ff), out) : rc;
}

/* Writes the bits that are left and "-". */
static int end_shift(struct shift *shift, struct buf *out)
{
	int rc = 0;

	if (shift->count > 0)
		rc = buf_add_char(out, base64[shift->bits << (6 - shift->count) & 0x3f]);
	*shift = (struct shift){ 0 };
	return rc == 0 ? buf_add_char(out, '-') : rc;
}

static int encode(struct slice utf8, struct buf *out)
{
	struct shift shift = { 0 };
	bool is_shifted = false;
	uint32_t c = 0;
	int rc = 0;

	while (rc == 0 && utf8.len > 0) {
		if (!take_utf8(&utf8, &c) || c == 0)
			return SYNCD_EPROTO;
		if (is_direct(c) && is_shifted)
			rc = end_shift(&shift, out);
		else if (!is_direct(c) && !is_shifted)
			rc = buf_add_char(out, '&');
		is_shifted = !is_direct(c);
		if (rc == 0)
			rc = is_shifted ? add_shifted(&shift, c, out)
			     : c == '&' ? buf_add_str(out, "&-")
					: buf_add_char(out, (char)c);
	}
	return rc == 0 && is_shifted ? end_shift(&shift, out) : rc;
}

/* Cuts `out` back to `len` unless the work succeeded. */
static int keep_or_cut(struct buf *out, size_t len, int rc)
{
	if (rc != 0 && out->len > len) {
		out->len = len;
		out->data[len] = '\0';
	}
	return rc;
}

int imap_utf7_encode(struct slice utf8, struct buf *out)
{
	size_t before = out->len;

	return keep_or_cut(out, before, encode(utf8, out));
}

/* --- Decoding ------------------------------------------------------------- */

/* Puts UTF-16 units together. `high` is a surrogate that waits for its other half. */
static int take_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (is_low != (*high != 0))
		return SYNCD_EPROTO;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return 0;
	}
	uint32_t c = is_low ? 0x10000 + ((*high & 0x3ff) << 10 | (unit & 0x3ff)) : unit;
	*high = 0;
	return c == 0 ? SYNCD_EPROTO : add_utf8(out, c);
}

/* Reads base64 behind "&" up to its "-". */
static int take_shifted(struct slice *text, struct buf *out)
{
	struct shift shift = { 0 };
	uint32_t high = 0;

	while (text->len > 0) {
		char c = text->data[0];
		const char *digit = c != '\0' ? strchr(base64, c) : NULL;
		text->data++;
		text->len--;
		if (c == '-')
			return high == 0 ? 0 : SYNCD_EPROTO;
		if (digit == NULL)
			return SYNCD_EPROTO;
		shift.bits = shift.bits << 6 | (uint32_t)(digit - base64);
		shift.count += 6;
		if (shift.count < 16)
			continue;
		shift.count -= 16;
		int rc = take_unit(shift.bits >> shift.count & 0xffff, &high, out);
		if (rc != 0)
			return rc;
	}
	return SYNCD_EPROTO;
}

static int decode(struct slice utf7, struct buf *out)
{
	int rc = 0;

	while (rc == 0 && utf7.len > 0) {
		char c = utf7.data[0];
		utf7.data++;
		utf7.len--;
		if (!is_direct((unsigned char)c) || (c == '&' && utf7.len == 0))
			return SYNCD_EPROTO;
		if (c == '&' && utf7.data[0] != '-') {
			rc = take_shifted(&utf7, out);
			continue;
		}
		if (c == '&') { /* "&-" */
			utf7.data++;
			utf7.len--;
		}
		rc = buf_add_char(out, c);
	}
	return rc;
}

/* The one rule that covers all the others: encoding gives the same bytes. */
static int check_round_trip(struct slice utf7, struct slice utf8)
{
	struct buf again;

	buf_init(&again, utf7.len + 1);
	int rc = encode(utf8, &again);
	if (rc != 0 || !slice_equals(buf_slice(&again), utf7))
		rc = SYNCD_EPROTO;
	buf_free(&again);
	return rc;
}

int imap_utf7_decode(struct slice utf7, struct buf *out)
{
	size_t before = out->len;

	int rc = decode(utf7, out);
	if (rc == 0 && out->len > before)
		rc = check_round_trip(utf7,
				      (struct slice){ out->data + before, out->len - before });
	else if (rc == 0 && utf7.len > 0)
		rc = SYNCD_EPROTO;
	return keep_or_cut(out, before, rc);
}
