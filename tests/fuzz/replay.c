/* Stands in for libFuzzer in `make check`: feeds a fuzz target every file of the
 * directories named as arguments, and a fixed number of damaged copies of each.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define MUTATIONS 500
#define SIZE_MAX_BYTES (1 << 20)

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Bytes flipped, a piece doubled, the end cut: in a buffer of the exact size,
 * so that the sanitizer sees a read beyond it. */
static void feed_mutation(const uint8_t *data, size_t size, uint32_t *seed)
{
	size_t from = size ? next_random(seed) % size : 0;
	size_t piece = size ? next_random(seed) % (size - from + 1) : 0;
	uint8_t *copy = malloc(size + piece + 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	if (piece)
		memcpy(copy + size, data + from, piece);
	size += next_random(seed) % 4 ? 0 : piece;
	for (uint32_t flips = next_random(seed) % 4; size && flips > 0; flips--)
		copy[next_random(seed) % size] = (uint8_t)next_random(seed);
	if (size && next_random(seed) % 4 == 0)
		size = next_random(seed) % size;

	uint8_t *exact = malloc(size ? size : 1);
	if (!exact)
		abort();
	memcpy(exact, copy, size);
	free(copy);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void feed(const char *name, const uint8_t *data, size_t size)
{
	uint32_t seed = 2463534242u + (uint32_t)size;

	LLVMFuzzerTestOneInput(data, size);
	for (int i = 0; i < MUTATIONS; i++)
		feed_mutation(data, size, &seed);
	printf("ok - %s and %d damaged copies are survived\n", name, MUTATIONS);
	fflush(stdout);
}

static void feed_file(const char *directory, const char *name)
{
	char path[4096];
	static uint8_t data[SIZE_MAX_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "rb");
	if (!file) {
		printf("not ok - %s can be opened\n", path);
		return;
	}
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	feed(name, data, size);
}

int main(int argc, char **argv)
{
	feed("nothing", (const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		struct dirent **names = NULL;
		int count = scandir(argv[i], &names, NULL, alphasort);

		for (int n = 0; n < count; n++) {
			if (names[n]->d_name[0] != '.')
				feed_file(argv[i], names[n]->d_name);
			free(names[n]);
		}
		free(names);
	}
	return 0;
}
