/* The control socket against any bytes a client may send: each line that comes back is one answer
 * of JSON-RPC, every answer owed is given, and the next client is served. The first byte says what
 * is sent before the rest, how it is cut, and when the daemon answers.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <jansson.h>

#include "../../src/control/control_private.h"
#include "fuzz/fuzz.h"
#include "support/temp_dir.h"
#include "syncd/alloc.h"
#include "syncd/log.h"
#include "syncd/must.h"

#define IS_LONG 1      /* spaces up to just below the longest request come first */
#define IS_CUT 2       /* sent in pieces */
#define IS_LATE 4      /* the daemon answers when the client has left */
#define LEAVES_EARLY 8 /* the client closes without reading */

#define PIECE 7
#define ANSWERS_MAX (1024 * 1024)

struct daemon {
	struct control_user user;
	struct loop *loop;
	struct control *control;
	struct control_reply *held[CLIENT_REPLIES_MAX];
	size_t held_count;
	bool is_late;
};

static struct daemon *daemon_of(struct control_user *user)
{
	return container_of(user, struct daemon, user);
}

/* --- What the daemon does ------------------------------------------------------ */

static int op_status(struct control_user *user, const char *account, struct control_status *status,
		     struct error *err)
{
	(void)user;
	if (account != NULL && strcmp(account, "work") != 0)
		return error_set(err, SYNCD_EUSAGE, "no such account: %s", account);
	struct control_account_status *a = control_status_add_account(status, "work");
	struct control_mailbox_status *m = control_status_add_mailbox(a, "odd \xff name");
	error_set(&m->err, SYNCD_EIO, "odd \xff text");
	return 0;
}

static void answer_held(struct daemon *d)
{
	struct control_sync_result result = { .exit_status = 0 };

	while (d->held_count > 0)
		control_reply_sync(d->held[--d->held_count], &result);
}

static void op_sync(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	struct daemon *d = daemon_of(user);

	for (size_t i = 0; i < count; i++)
		must(targets[i].account[0] != '\0' && strchr(targets[i].account, '/') == NULL);
	must(d->held_count < CLIENT_REPLIES_MAX);
	d->held[d->held_count++] = reply;
	if (!d->is_late && count % 2 == 0)
		answer_held(d);
}

static void op_plan(struct control_user *user, const struct control_target *targets, size_t count,
		    struct control_reply *reply)
{
	static const char *const lines[] = { "odd \xff line" };
	struct control_sync_result result = { .exit_status = 1 };

	(void)user;
	(void)targets;
	control_reply_plan(reply, lines, count % 2, &result);
}

static int op_pause(struct control_user *user, const char *const *accounts, size_t count,
		    struct error *err)
{
	(void)user;
	for (size_t i = 0; i < count; i++)
		must(accounts[i][0] != '\0');
	return count > 1 ? error_set(err, SYNCD_EUSAGE, "no such account: %s", accounts[1]) : 0;
}

static void op_reload(struct control_user *user, struct control_reply *reply)
{
	struct control_event event = { .kind = CONTROL_EVENT_STATE, .account = "odd \xff name" };

	control_emit(daemon_of(user)->control, &event);
	control_reply_ok(reply);
}

static void op_stop(struct control_user *user)
{
	struct control_event event = { .kind = CONTROL_EVENT_RELOADED };

	control_emit(daemon_of(user)->control, &event);
}

static const struct control_ops ops = {
	.status = op_status,
	.sync = op_sync,
	.plan = op_plan,
	.pause = op_pause,
	.resume = op_pause,
	.reload = op_reload,
	.stop = op_stop,
};

static void swallow_log(enum log_level level, const char *line, void *context)
{
	(void)level;
	(void)line;
	(void)context;
}

/* One daemon for all clients: what one of them did must not harm the next. */
static struct daemon *the_daemon(void)
{
	static struct daemon d = { .user.ops = &ops };
	struct error err;

	if (d.control != NULL)
		return &d;
	log_set_sink(swallow_log, NULL);
	char *path = temp_path(temp_dir_of_process(), "sock");
	d.loop = loop_new();
	d.control = control_start(d.loop, path, &d.user, &err);
	must(d.control != NULL);
	free(path);
	return &d;
}

/* --- A client -------------------------------------------------------------------- */

static void turn(struct daemon *d)
{
	(void)uv_run(loop_uv(d->loop), UV_RUN_NOWAIT);
}

static int client_open(struct daemon *d)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	must(strlen(d->control->path) < sizeof(address.sun_path));
	memcpy(address.sun_path, d->control->path, strlen(d->control->path));
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	while (d->control->client_count == 0)
		turn(d);
	return fd;
}

static void client_read(int fd, struct buf *answers)
{
	char piece[4096];
	ssize_t got;

	while ((got = recv(fd, piece, sizeof(piece), 0)) > 0)
		(void)buf_add(answers, piece, (size_t)got);
}

/* The daemon may have dropped it: then nothing more is taken. */
static void client_send_all(struct daemon *d, int fd, struct slice data, size_t piece,
			    struct buf *answers)
{
	while (data.len > 0 && d->control->client_count > 0) {
		size_t len = data.len < piece ? data.len : piece;
		ssize_t sent = send(fd, data.data, len, MSG_NOSIGNAL);
		if (sent > 0) {
			data.data += sent;
			data.len -= (size_t)sent;
		}
		turn(d);
		client_read(fd, answers);
	}
}

static void check_answer(const char *line, size_t len)
{
	json_t *answer = json_loadb(line, len, JSON_ALLOW_NUL, NULL);

	must(answer != NULL);
	must(strcmp(json_string_value(json_object_get(answer, "jsonrpc")), "2.0") == 0);
	bool has_result = json_object_get(answer, "result") != NULL;
	bool has_error = json_object_get(answer, "error") != NULL;
	bool is_event = json_object_get(answer, "method") != NULL;
	must(has_result + has_error + is_event == 1);
	must(is_event || json_object_get(answer, "id") != NULL);
	json_decref(answer);
}

static void check_answers(const struct buf *answers)
{
	struct slice left = buf_slice(answers);

	while (left.len > 0) {
		const char *end = memchr(left.data, '\n', left.len);
		must(end != NULL);
		size_t len = (size_t)(end - left.data);
		check_answer(left.data, len);
		left.data += len + 1;
		left.len -= len + 1;
	}
}

static void client_finish(struct daemon *d, int fd, unsigned how, struct buf *answers)
{
	if ((how & LEAVES_EARLY) == 0) {
		(void)shutdown(fd, SHUT_WR);
		if ((how & IS_LATE) == 0)
			answer_held(d);
		turn(d);
		client_read(fd, answers);
		check_answers(answers);
	}
	must(close(fd) == 0);
	turn(d);
	answer_held(d);
	/* Who had shut its end before is known to have left when it is told something. */
	if ((how & LEAVES_EARLY) == 0)
		op_stop(&d->user);
	while (d->control->client_count > 0)
		turn(d);
	must(d->control->owed == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char spaces[CONTROL_REQUEST_MAX - 64];
	struct buf answers;

	if (size == 0)
		return 0;
	struct daemon *d = the_daemon();
	unsigned how = data[0];
	int fd = client_open(d);
	buf_init(&answers, ANSWERS_MAX);
	d->is_late = (how & IS_LATE) != 0;
	memset(spaces, ' ', sizeof(spaces));
	if ((how & IS_LONG) != 0)
		client_send_all(d, fd, (struct slice){ spaces, sizeof(spaces) }, sizeof(spaces),
				&answers);
	client_send_all(d, fd, (struct slice){ (const char *)data + 1, size - 1 },
			(how & IS_CUT) != 0 ? PIECE : size, &answers);
	client_finish(d, fd, how, &answers);
	buf_free(&answers);
	return 0;
}
