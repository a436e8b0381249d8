/* The server's side of a compressed connection.
 * SPDX-License-Identifier: MIT */
#include "support/deflate_peer.h"

#include "syncd/must.h"

#define PIECE 65536

void deflate_peer_init(struct deflate_peer *peer)
{
	*peer = (struct deflate_peer){ 0 };
	must(deflateInit2(&peer->encoder, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8,
			  Z_DEFAULT_STRATEGY) == Z_OK);
	must(inflateInit2(&peer->decoder, -15) == Z_OK);
}

void deflate_peer_free(struct deflate_peer *peer)
{
	(void)deflateEnd(&peer->encoder);
	(void)inflateEnd(&peer->decoder);
}

static void encode(struct deflate_peer *peer, struct slice data, int flush, struct buf *out)
{
	unsigned char piece[PIECE];

	peer->encoder.next_in = (z_const Bytef *)data.data;
	peer->encoder.avail_in = (uInt)data.len;
	do {
		peer->encoder.next_out = piece;
		peer->encoder.avail_out = sizeof(piece);
		must(deflate(&peer->encoder, flush) != Z_STREAM_ERROR);
		must(buf_add(out, piece, sizeof(piece) - peer->encoder.avail_out) == 0);
	} while (peer->encoder.avail_out == 0);
}

void deflate_peer_encode(struct deflate_peer *peer, struct slice data, struct buf *out)
{
	encode(peer, data, Z_SYNC_FLUSH, out);
}

void deflate_peer_finish(struct deflate_peer *peer, struct slice data, struct buf *out)
{
	encode(peer, data, Z_FINISH, out);
}

bool deflate_peer_decode(struct deflate_peer *peer, struct slice data, struct buf *out)
{
	unsigned char piece[PIECE];

	peer->decoder.next_in = (z_const Bytef *)data.data;
	peer->decoder.avail_in = (uInt)data.len;
	do {
		peer->decoder.next_out = piece;
		peer->decoder.avail_out = sizeof(piece);
		int rc = inflate(&peer->decoder, Z_SYNC_FLUSH);
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return false;
		must(buf_add(out, piece, sizeof(piece) - peer->decoder.avail_out) == 0);
	} while (peer->decoder.avail_out == 0);
	return true;
}
