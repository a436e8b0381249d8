/* Reading a database file through without LMDB. Its format, as of LMDB 0.9: pages of one size, in
 * the byte order and word size of the machine. Two headers stand first; the one with the greater
 * transaction counts. From it two trees begin: the free pages, by the transaction that freed them,
 * and the named tables, each a tree of its own. In a page offsets grow from the front, the entries
 * they lead to from the back; a value that is too large has pages of its own.
 * SPDX-License-Identifier: MIT */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "syncd/alloc.h"
#include "syncd/must.h"

#define HEADERS 2
#define MAGIC 0xBEEFC0DEu
#define FORMAT_VERSION 1
#define PAGE_SIZE_MIN 512
#define PAGE_SIZE_MAX 32768
#define DEPTH_MAX 32
#define NO_PAGE SIZE_MAX

enum page_flags { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_HEADER = 8 };
enum node_flags { NODE_OVERFLOW = 1, NODE_TREE = 2 };
enum tree_flags { TREE_OF_NUMBERS = 8 };
enum tree_kind { TREE_FREE, TREE_NAMES, TREE_TABLE };

struct page_head {
	size_t number;
	uint16_t pad;
	uint16_t flags;
	uint16_t lower; /* of what is free in it; of an overflow page: these two are */
	uint16_t upper; /* the number of pages */
};

struct tree_head {
	uint32_t pad; /* of the free pages' tree: the page size */
	uint16_t flags;
	uint16_t depth;
	size_t counts[4];
	size_t root;
};

struct header {
	uint32_t magic;
	uint32_t version;
	void *address;
	size_t map_size;
	struct tree_head trees[2]; /* free pages, names */
	size_t last_page;
	size_t transaction;
};

#define NODE_HEAD 8 /* size of the value, or child, in 4 bytes; flags; size of the key */

struct node {
	uint64_t size; /* of the value; in a branch: the child's number */
	uint16_t flags;
	const unsigned char *key;
	size_t key_len;
	const unsigned char *value; /* in this page; NULL: it has pages of its own */
	size_t overflow;            /* the first of them */
};

struct verify {
	int fd;
	int errno_value; /* of a read that failed */
	bool is_foreign; /* of another format */
	size_t page_size;
	size_t page_count;
	size_t transaction;
	unsigned char *claimed; /* a bit a page */
	char fault[64];         /* the first */
};

/* A tree that is walked in the order of its keys. */
struct walk {
	struct verify *v;
	enum tree_kind kind;
	unsigned depth;
	unsigned char last[ENV_KEY_MAX];
	size_t last_len;
	bool has_last;
	bool may_be_last; /* `last` stands in a branch: the next key may be the same */
};

static bool fail(struct verify *v, const char *what, size_t page)
{
	if (v->fault[0] == '\0')
		(void)snprintf(v->fault, sizeof(v->fault), "page %zu %s", page, what);
	return false;
}

static bool read_at(struct verify *v, void *out, size_t len, size_t at, size_t page)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(v->fd, (char *)out + done, len - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			v->errno_value = errno;
		if (got <= 0)
			return fail(v, "cannot be read", page);
		done += (size_t)got;
	}
	return true;
}

/* Each page has one use. */
static bool claim(struct verify *v, size_t first, size_t count)
{
	if (first < HEADERS || first >= v->page_count || count > v->page_count - first)
		return fail(v, "is beyond the end", first);
	for (size_t i = first; i < first + count; i++) {
		unsigned char bit = (unsigned char)(1u << (i % 8));
		if ((v->claimed[i / 8] & bit) != 0)
			return fail(v, "has two uses", i);
		v->claimed[i / 8] |= bit;
	}
	return true;
}

/* --- Values with pages of their own ------------------------------------------------ */

/* Claims them; the bytes are allocated, unless `out` is NULL. */
static bool read_overflow(struct verify *v, const struct node *node, unsigned char **out)
{
	struct page_head head;
	uint32_t count;
	size_t at = node->overflow;

	if (at < HEADERS || at >= v->page_count)
		return fail(v, "is beyond the end", at);
	if (!read_at(v, &head, sizeof(head), at * v->page_size, at))
		return false;
	memcpy(&count, &head.lower, sizeof(count));
	if (head.number != at || head.flags != PAGE_OVERFLOW || count == 0 ||
	    (uint64_t)count * v->page_size < node->size + sizeof(head))
		return fail(v, "does not hold the value it should", at);
	if (!claim(v, at, count))
		return false;
	if (out == NULL)
		return true;
	*out = xmalloc((size_t)node->size);
	return read_at(v, *out, (size_t)node->size, at * v->page_size + sizeof(head), at);
}

/* --- Entries ------------------------------------------------------------------------- */

static uint16_t u16_at(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

struct page {
	unsigned char *bytes;
	size_t number;
	bool is_leaf;
	size_t upper;
	size_t count; /* of entries */
};

/* Whether the value, or where it is, and all else of the entry lies in the page, which has `left`
 * bytes from its beginning. *len: what it takes of the page. */
static bool node_fits(struct node *node, bool is_leaf, size_t left, size_t *len)
{
	bool is_far = is_leaf && (node->flags & NODE_OVERFLOW) != 0;

	*len = NODE_HEAD + node->key_len;
	if (is_leaf)
		*len += is_far ? sizeof(size_t) : (size_t)node->size;
	*len += *len % 2;
	if (*len > left || node->key_len > ENV_KEY_MAX)
		return false;
	if (is_far)
		memcpy(&node->overflow, node->key + node->key_len, sizeof(node->overflow));
	else if (is_leaf)
		node->value = node->key + node->key_len;
	return true;
}

/* The entry of that index. */
static bool node_of(struct verify *v, const struct page *page, size_t index, struct node *node,
		    size_t *len)
{
	size_t offset = u16_at(page->bytes + sizeof(struct page_head) + 2 * index);
	const unsigned char *at = page->bytes + offset;
	uint32_t size;

	*len = 0;
	if (offset % 2 != 0 || offset < page->upper || offset + NODE_HEAD > v->page_size)
		return fail(v, "has an entry that is not in it", page->number);
	memcpy(&size, at, sizeof(size));
	*node = (struct node){ .size = size, .key = at + NODE_HEAD };
	node->flags = u16_at(at + 4);
	node->key_len = u16_at(at + 6);
	if (!page->is_leaf && sizeof(size_t) > sizeof(size))
		node->size |= (uint64_t)node->flags << 32;
	return node_fits(node, page->is_leaf, v->page_size - offset, len) ||
	       fail(v, "has an entry that is not in it", page->number);
}

static int compare_keys(enum tree_kind kind, const unsigned char *a, size_t a_len,
			const unsigned char *b, size_t b_len)
{
	size_t numbers[2];

	if (kind == TREE_FREE) {
		memcpy(&numbers[0], a, sizeof(size_t));
		memcpy(&numbers[1], b, sizeof(size_t));
		return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1]);
	}
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* Keys are unique and in order, over all pages of the tree. */
static bool check_key(struct walk *walk, const struct node *node, bool is_branch)
{
	size_t len = node->key_len;

	if (len == 0 || (walk->kind == TREE_FREE && len != sizeof(size_t)))
		return false;
	if (walk->has_last) {
		int order = compare_keys(walk->kind, node->key, len, walk->last, walk->last_len);
		if (order < 0 || (order == 0 && !walk->may_be_last))
			return false;
	}
	memcpy(walk->last, node->key, len);
	walk->last_len = len;
	walk->has_last = true;
	walk->may_be_last = is_branch;
	return true;
}

/* --- What the trees hold ------------------------------------------------------------ */

static bool check_tree(struct verify *v, const struct tree_head *head, enum tree_kind kind);

/* A list of free pages: their number, and they, the greatest first. */
static bool check_free_list(struct verify *v, const struct node *node, const unsigned char *value,
			    size_t page)
{
	size_t key;
	size_t count;
	size_t number;
	size_t before = v->page_count;

	memcpy(&key, node->key, sizeof(key));
	if (key > v->transaction || node->size % sizeof(size_t) != 0 || node->size == 0)
		return fail(v, "has no list of free pages", page);
	memcpy(&count, value, sizeof(count));
	if (count >= node->size / sizeof(size_t))
		return fail(v, "has a wrong list of free pages", page);
	for (size_t i = 1; i <= count; i++) {
		memcpy(&number, value + i * sizeof(size_t), sizeof(number));
		if (number >= before)
			return fail(v, "has a list of free pages out of order", page);
		if (!claim(v, number, 1))
			return false;
		before = number;
	}
	return true;
}

static bool check_value(struct walk *walk, const struct node *node, size_t page)
{
	struct tree_head head;
	unsigned char *far = NULL;
	bool is_tree = walk->kind == TREE_NAMES;
	bool is_good = true;

	if ((node->flags & ~NODE_OVERFLOW) != (is_tree ? NODE_TREE : 0) ||
	    (is_tree && (node->value == NULL || node->size != sizeof(head))))
		return fail(walk->v, "has an entry of another kind", page);
	if (node->value == NULL)
		is_good = read_overflow(walk->v, node, walk->kind == TREE_FREE ? &far : NULL);
	if (is_good && walk->kind == TREE_FREE) {
		const unsigned char *list = far != NULL ? far : node->value;
		must(list != NULL);
		is_good = check_free_list(walk->v, node, list, page);
	}
	free(far);
	if (!is_good || !is_tree)
		return is_good;
	memcpy(&head, node->value, sizeof(head));
	return check_tree(walk->v, &head, TREE_TABLE);
}

/* --- Pages of trees ------------------------------------------------------------------- */

/* Sets the bits from `from` to `to` - 1; false when one of them was set. */
static bool mark_range(uint64_t *bits, size_t from, size_t to)
{
	while (from < to) {
		size_t end = (from / 64 + 1) * 64;
		size_t count = (to < end ? to : end) - from;
		uint64_t mask = (UINT64_MAX >> (64 - count)) << (from % 64);
		if ((bits[from / 64] & mask) != 0)
			return false;
		bits[from / 64] |= mask;
		from += count;
	}
	return true;
}

/* The entries lie side by side, from `upper` to the end. */
static bool check_layout(struct verify *v, const struct page *page)
{
	uint64_t used[PAGE_SIZE_MAX / 2 / 64]; /* a bit for two bytes */
	size_t total = 0;

	memset(used, 0, v->page_size / 16);
	for (size_t i = 0; i < page->count; i++) {
		struct node node;
		size_t len;
		if (!node_of(v, page, i, &node, &len))
			return false;
		size_t offset = (size_t)(node.key - page->bytes) - NODE_HEAD;
		if (!mark_range(used, offset / 2, (offset + len) / 2))
			return fail(v, "has entries that overlap", page->number);
		total += len;
	}
	return total == v->page_size - page->upper ||
	       fail(v, "has entries of a wrong size", page->number);
}

static bool read_page(struct walk *walk, struct page *page, unsigned level)
{
	struct verify *v = walk->v;
	struct page_head head;

	if (!claim(v, page->number, 1) ||
	    !read_at(v, page->bytes, v->page_size, page->number * v->page_size, page->number))
		return false;
	memcpy(&head, page->bytes, sizeof(head));
	page->is_leaf = level == walk->depth;
	if (head.number != page->number || head.flags != (page->is_leaf ? PAGE_LEAF : PAGE_BRANCH))
		return fail(v, "is not of its kind", page->number);
	if (head.lower < sizeof(head) || head.lower % 2 != 0 || head.lower > head.upper ||
	    head.upper > v->page_size)
		return fail(v, "has no sound beginning", page->number);
	page->upper = head.upper;
	page->count = (head.lower - sizeof(head)) / 2;
	/* LMDB may leave a branch of the free pages with a single child. */
	size_t least = page->is_leaf || walk->kind == TREE_FREE ? 1 : 2;
	return page->count >= least ? check_layout(v, page)
				    : fail(v, "has too few entries", page->number);
}

static bool check_page(struct walk *walk, size_t number, unsigned level);

static bool check_entry(struct walk *walk, const struct page *page, size_t index, unsigned level)
{
	struct node node = { .size = 0 };
	size_t len;

	if (!node_of(walk->v, page, index, &node, &len))
		return false;
	/* The first child's key is not looked at, and may be none. */
	if ((page->is_leaf || index > 0) && !check_key(walk, &node, !page->is_leaf))
		return fail(walk->v, "has a key out of order", page->number);
	return page->is_leaf ? check_value(walk, &node, page->number)
			     : check_page(walk, (size_t)node.size, level + 1);
}

static bool check_page(struct walk *walk, size_t number, unsigned level)
{
	struct page page = { .bytes = xmalloc(walk->v->page_size), .number = number };
	bool is_good = read_page(walk, &page, level);

	for (size_t i = 0; is_good && i < page.count; i++)
		is_good = check_entry(walk, &page, i, level);
	free(page.bytes);
	return is_good;
}

static bool check_tree(struct verify *v, const struct tree_head *head, enum tree_kind kind)
{
	struct walk walk = { .v = v, .kind = kind, .depth = head->depth };

	if (head->flags != (kind == TREE_FREE ? TREE_OF_NUMBERS : 0) || head->depth > DEPTH_MAX ||
	    (head->depth == 0) != (head->root == NO_PAGE))
		return fail(v, "is no tree's beginning", head->root);
	return head->root == NO_PAGE || check_page(&walk, head->root, 1);
}

/* --- The file --------------------------------------------------------------------------- */

static bool read_header(struct verify *v, size_t index, struct header *header)
{
	struct page_head head;
	size_t at = index * v->page_size;

	if (!read_at(v, &head, sizeof(head), at, index) ||
	    !read_at(v, header, sizeof(*header), at + sizeof(head), index))
		return false;
	if (head.number != index || head.flags != PAGE_HEADER || header->magic != MAGIC)
		return fail(v, "is no header", index);
	v->is_foreign = header->version != FORMAT_VERSION;
	if (v->is_foreign)
		return true;
	size_t page_size = header->trees[0].pad;
	if (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX ||
	    (page_size & (page_size - 1)) != 0 || (index > 0 && page_size != v->page_size))
		return fail(v, "has a wrong page size", index);
	v->page_size = page_size;
	/* By its evenness LMDB knows which header is whose. Both begin with 0. */
	if (header->transaction > SIZE_MAX / 2 ||
	    (header->transaction != 0 && header->transaction % HEADERS != index))
		return fail(v, "has a wrong transaction", index);
	return true;
}

static bool check_file(struct verify *v, size_t file_size)
{
	struct header headers[HEADERS];

	for (size_t i = 0; i < HEADERS; i++) {
		if (!read_header(v, i, &headers[i]))
			return false;
		if (v->is_foreign)
			return true;
	}
	const struct header *newest =
		&headers[headers[0].transaction < headers[1].transaction ? 1 : 0];
	if (newest->last_page >= file_size / v->page_size)
		return fail(v, "is beyond the end of the file", newest->last_page);
	v->page_count = newest->last_page + 1;
	v->transaction = newest->transaction;
	v->claimed = xcalloc(v->page_count / 8 + 1, 1);
	bool is_good = check_tree(v, &newest->trees[0], TREE_FREE) &&
		       check_tree(v, &newest->trees[1], TREE_NAMES);
	free(v->claimed);
	return is_good;
}

static bool file_of(const char *dir, char path[PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/data.mdb", dir) < PATH_MAX;
}

void verify_stamp(const char *dir, char stamp[VERIFY_STAMP_MAX])
{
	struct stat st;
	char path[PATH_MAX];

	stamp[0] = '\0';
	if (file_of(dir, path) && stat(path, &st) == 0)
		(void)snprintf(stamp, VERIFY_STAMP_MAX, "%llu %lld %lld.%09ld %lld.%09ld",
			       (unsigned long long)st.st_ino, (long long)st.st_size,
			       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

int verify_database(const char *dir, struct error *err)
{
	struct verify v = { .fd = -1 };
	struct stat st;
	char path[PATH_MAX];

	if (!file_of(dir, path))
		return error_set(err, SYNCD_EIO, "the path %s is too long", dir);
	v.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (v.fd < 0 && errno == ENOENT)
		return 0;
	if (v.fd < 0)
		return error_set_errno(err, errno, "cannot open", path);
	bool is_good =
		fstat(v.fd, &st) != 0 || st.st_size == 0 || check_file(&v, (size_t)st.st_size);
	(void)close(v.fd);
	if (is_good)
		return 0;
	return v.errno_value != 0 ? error_set_errno(err, v.errno_value, "cannot read", path)
				  : env_damaged_at(dir, v.fault, err);
}
