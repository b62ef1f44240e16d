// SPDX-License-Identifier: Apache-2.0
/*
 * log: lines about what happened, on standard error, as logfmt or JSON.
 *
 * Interface: log.h. The lines go out by plain write(2), not by the operation table: they must
 * appear when a backend fails, and must not be counted among the calls that a test fails.
 * Invariants: a line is one write of at most PIPE_BUF bytes and ends in a newline; whatever bytes
 * a value holds, it cannot end the line or its quotes; the output is valid UTF-8.
 * What is chosen by sl_log_setup() is process-wide and atomic: there is one standard error.
 * Order of parts: a bounded text; escaping; a line; admission; writing.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/util.h>

#include "log.h"
#include "text.h"
#include "uring/uring.h"

_Static_assert(SL_LOG_LINE_BYTES <= PIPE_BUF, "a line is written whole or not at all");

static const char *const level_names[] = {
	[SL_LOG_LEVEL_ERR] = "err",	  [SL_LOG_LEVEL_WARN] = "warn",
	[SL_LOG_LEVEL_NOTICE] = "notice", [SL_LOG_LEVEL_INFO] = "info",
	[SL_LOG_LEVEL_DEBUG] = "debug",
};
_Static_assert(SL_ARRAY_SIZE(level_names) == SL_LOG_LEVEL_LAST, "a name for each level");

/* ---- a bounded text --------------------------------------------------------------------- */

/* Room for " truncated=true\n" or ,"truncated":true}\n, and the NUL of snprintf. */
#define TAIL_BYTES 24

struct line {
	char *text;
	size_t len, max;
	bool full; /* something did not fit */
};

static void put(struct line *l, const char *s, size_t n)
{
	if (l->full || n > l->max - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void put_string(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static __attribute__((format(printf, 2, 3))) void put_format(struct line *l, const char *format,
							     ...)
{
	char text[64];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	SL_ASSERT(n >= 0 && (size_t)n < sizeof(text));
	put(l, text, (size_t)n);
}

/* By hand: a line of the access log has ten numbers, and printf would take most of its time. */
static void put_uint(struct line *l, uint64_t v)
{
	char digits[SL_DIGITS_MAX];

	put(l, digits, (size_t)(sl_digits_put(digits, v) - digits));
}

static void put_int(struct line *l, int64_t v)
{
	if (v < 0)
		put_string(l, "-");
	put_uint(l, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* ---- escaping --------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at @p, 1..4, or 0 if there is none (overlong, surrogate, cut). */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = 0;
	uint32_t c;

	if (p[0] < 0x80)
		n = 1;
	else if (p[0] >> 5 == 6)
		n = 2;
	else if (p[0] >> 4 == 14)
		n = 3;
	else if (p[0] >> 3 == 30)
		n = 4;
	if (n == 0 || n > left)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* How many bytes at @p stand for themselves within quotes. */
static size_t plain_len(const uint8_t *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] >= ' ' && p[n] < 0x7f && p[n] != '"' && p[n] != '\\')
		n++;
	return n;
}

/* The inside of quotes, the same in both formats. Bytes that are no text become U+FFFD. */
static void put_escaped(struct line *l, const void *data, size_t len)
{
	static const char named[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				     ['\r'] = 'r', ['"'] = '"',	 ['\\'] = '\\'};
	const uint8_t *p = data;

	for (size_t i = 0, n; i < len; i += n) {
		n = plain_len(p + i, len - i);
		if (n) {
			put(l, (const char *)p + i, n);
			continue;
		}
		n = utf8_len(p + i, len - i);
		if (n == 0) {
			n = 1;
			put_string(l, "\\ufffd");
		} else if (p[i] < sizeof(named) && named[p[i]]) {
			put_format(l, "\\%c", named[p[i]]);
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			put_format(l, "\\u%04x", p[i]);
		} else {
			put(l, (const char *)p + i, n);
		}
	}
}

/* Whether logfmt may write a value without quotes. */
static bool is_bare(const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '"' || p[i] == '=' || p[i] == '\\')
			return false;
	return len > 0;
}

static void put_text(struct line *l, enum sl_log_format format, const void *data, size_t len)
{
	if (format == SL_LOG_LOGFMT && is_bare(data, len)) {
		put(l, data, len);
		return;
	}
	put_string(l, "\"");
	put_escaped(l, data, len);
	put_string(l, "\"");
}

/* ---- a line ----------------------------------------------------------------------------- */

static void put_key(struct line *l, enum sl_log_format format, const char *key)
{
	if (format == SL_LOG_JSON) {
		put_string(l, l->len > 1 ? ",\"" : "\"");
		put_string(l, key);
		put_string(l, "\":");
	} else {
		if (l->len)
			put_string(l, " ");
		put_string(l, key);
		put_string(l, "=");
	}
}

static void put_double(struct line *l, enum sl_log_format format, double d)
{
	const char *name = isnan(d) ? "nan" : d < 0 ? "-inf" : "inf";

	if (isfinite(d))
		put_format(l, "%.9g", d);
	else
		put_text(l, format, name, strlen(name));
}

static void put_errno(struct line *l, enum sl_log_format format, int64_t err)
{
	char text[64];
	const char *s;

	if (err < 0)
		err = -err;
	s = err <= INT_MAX ? strerrordesc_np((int)err) : NULL;
	if (!s) {
		snprintf(text, sizeof(text), "error %" PRId64, err);
		s = text;
	}
	put_text(l, format, s, strlen(s));
}

static void put_field(struct line *l, enum sl_log_format format, const struct sl_log_field *f)
{
	put_key(l, format, f->key);
	switch (f->kind) {
	case SL_LOG_STRING:
		put_text(l, format, f->data ? f->data : "", f->data ? strlen(f->data) : 0);
		return;
	case SL_LOG_BYTES:
		put_text(l, format, f->data, f->len);
		return;
	case SL_LOG_INT:
		put_int(l, f->i);
		return;
	case SL_LOG_UINT:
		put_uint(l, f->u);
		return;
	case SL_LOG_BOOL:
		put_string(l, f->u ? "true" : "false");
		return;
	case SL_LOG_DOUBLE:
		put_double(l, format, f->d);
		return;
	case SL_LOG_ERRNO:
		put_errno(l, format, f->i);
		return;
	}
	SL_ASSERT(!"a kind of field without a form");
}

static void put_digits(char *p, int64_t v, int n)
{
	for (; n--; v /= 10)
		p[n] = (char)('0' + v % 10);
}

/* RFC 3339 with milliseconds. gmtime_r takes a lock of the C library's; days are simple enough. */
static void put_time(struct line *l, enum sl_log_format format, int64_t wall_ns)
{
	int64_t s = wall_ns / SL_SEC, days = s / 86400 + 719468, of_day = s % 86400;
	int64_t era = days / 146097, doe = days % 146097; /* eras of 400 years from 1 March 0 */
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2);
	char text[] = "0000-00-00T00:00:00.000Z";

	SL_ASSERT(wall_ns >= 0 && year <= 9999);
	put_digits(text, year, 4);
	put_digits(text + 5, month, 2);
	put_digits(text + 8, day, 2);
	put_digits(text + 11, of_day / 3600, 2);
	put_digits(text + 14, of_day / 60 % 60, 2);
	put_digits(text + 17, of_day % 60, 2);
	put_digits(text + 20, wall_ns / SL_MSEC % 1000, 3);
	put_key(l, format, "time");
	put_text(l, format, text, sizeof(text) - 1);
}

size_t sl_log_format(enum sl_log_format format, int64_t wall_ns, enum sl_log_level level,
		     const char *event, const struct sl_log_field *fields, size_t n, char *ret_line)
{
	bool json = format == SL_LOG_JSON;
	struct line l = {.text = ret_line, .max = SL_LOG_LINE_BYTES - TAIL_BYTES};

	SL_ASSERT(level < SL_LOG_LEVEL_LAST);
	if (json)
		put_string(&l, "{");
	put_time(&l, format, wall_ns);
	put_key(&l, format, "level");
	put_text(&l, format, level_names[level], strlen(level_names[level]));
	put_key(&l, format, "event");
	put_text(&l, format, event, strlen(event));
	for (size_t i = 0; i < n && !l.full; i++) {
		size_t before = l.len;

		put_field(&l, format, &fields[i]);
		if (l.full)
			l.len = before; /* whole fields only */
	}
	l.max = SL_LOG_LINE_BYTES;
	if (l.full) {
		l.full = false;
		put_string(&l, json ? ",\"truncated\":true" : " truncated=true");
	}
	put_string(&l, json ? "}\n" : "\n");
	SL_ASSERT(!l.full);
	return l.len;
}

/* ---- admission -------------------------------------------------------------------------- */

/* What sl_log_setup() and sl_log_to_fd() chose; every thread reads it. */
static struct {
	int level;
	int format;
	int fd;
	int fd_kind; /* enum fd_kind, of fd */
	uint64_t dropped; /* since the start */
	uint64_t untold; /* dropped, and not yet told by a line */
} log_state = {.level = SL_LOG_LEVEL_INFO, .format = SL_LOG_LOGFMT, .fd = STDERR_FILENO};

static __thread int thread_core_plus_one; /* 0: none */

bool sl_log_on(enum sl_log_level level)
{
	return (int)level <= __atomic_load_n(&log_state.level, __ATOMIC_RELAXED);
}

/* Races cost at most a few lines more or less; the count of what is left out is exact. */
bool sl_log_admit(struct sl_log_site *site, enum sl_log_level level, uint32_t *ret_suppressed)
{
	uint64_t now = (uint64_t)(sl_clock_ns() / SL_SEC);
	uint64_t start = __atomic_load_n(&site->window_start, __ATOMIC_RELAXED);

	*ret_suppressed = 0;
	if (level == SL_LOG_LEVEL_DEBUG)
		return true;
	if ((start == 0 || now - start >= SL_LOG_WINDOW_S) &&
	    __atomic_compare_exchange_n(&site->window_start, &start, now ? now : 1, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_store_n(&site->lines, 0, __ATOMIC_RELAXED);
	if (__atomic_fetch_add(&site->lines, 1, __ATOMIC_RELAXED) >= SL_LOG_BURST_LINES) {
		__atomic_fetch_add(&site->suppressed, 1, __ATOMIC_RELAXED);
		return false;
	}
	*ret_suppressed = __atomic_exchange_n(&site->suppressed, 0, __ATOMIC_RELAXED);
	return true;
}

/* ---- writing ---------------------------------------------------------------------------- */

enum fd_kind {
	FD_UNKNOWN,
	FD_PLAIN, /* file or terminal: written to as it is */
	FD_PIPE, /* asked first whether it has room */
	FD_SOCKET, /* the same */
	FD_JOURNAL, /* a socket or pipe to systemd's journal, which reads <priority> prefixes */
};

/* systemd names device and inode of the stream that it connected in JOURNAL_STREAM. */
static bool is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];

	if (!stream)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino);
	return strcmp(stream, own) == 0;
}

static enum fd_kind fd_kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return FD_PLAIN;
	if (is_journal(&st))
		return FD_JOURNAL;
	return S_ISFIFO(st.st_mode) ? FD_PIPE : S_ISSOCK(st.st_mode) ? FD_SOCKET : FD_PLAIN;
}

static enum fd_kind fd_kind(int fd)
{
	int kind = __atomic_load_n(&log_state.fd_kind, __ATOMIC_RELAXED);

	if (kind == FD_UNKNOWN) {
		kind = fd_kind_of(fd);
		__atomic_store_n(&log_state.fd_kind, kind, __ATOMIC_RELAXED);
	}
	return (enum fd_kind)kind;
}

/*
 * Whether a write of a line would not wait. Another thread may take the room in between; then
 * this one waits for the reader once, which is rare enough.
 */
static bool fd_has_room(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static bool write_line(int fd, enum fd_kind kind, const char *line, size_t len)
{
	ssize_t n;

	if (kind != FD_PLAIN && !fd_has_room(fd))
		return false;
	do
		n = write(fd, line, len);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

void sl_log_write(enum sl_log_level level, const char *event, const struct sl_log_field *fields,
		  size_t n, uint32_t suppressed)
{
	static const char priorities[][4] = {"<3>", "<4>", "<5>", "<6>", "<7>"};
	int fd = __atomic_load_n(&log_state.fd, __ATOMIC_RELAXED);
	int format = __atomic_load_n(&log_state.format, __ATOMIC_RELAXED);
	enum fd_kind kind = fd_kind(fd);
	uint64_t untold = __atomic_exchange_n(&log_state.untold, 0, __ATOMIC_RELAXED);
	struct sl_log_field all[SL_LOG_FIELDS_MAX + 3];
	char text[3 + SL_LOG_LINE_BYTES];
	char *line = text + 3;
	size_t all_n = 0, len;

	SL_ASSERT(n <= SL_LOG_FIELDS_MAX);
	if (thread_core_plus_one)
		all[all_n++] = sl_log_field_int("core", thread_core_plus_one - 1);
	if (suppressed)
		all[all_n++] = sl_log_field_uint("suppressed", suppressed);
	if (untold)
		all[all_n++] = sl_log_field_uint("dropped", untold);
	memcpy(all + all_n, fields, n * sizeof(*fields));
	len = sl_log_format((enum sl_log_format)format, sl_wall_clock_ns(), level, event, all,
			    all_n + n, line);
	if (kind == FD_JOURNAL) {
		line = text;
		memcpy(line, priorities[level], 3);
		len += 3;
	}
	if (!write_line(fd, kind, line, len)) {
		__atomic_fetch_add(&log_state.dropped, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&log_state.untold, untold + 1, __ATOMIC_RELAXED);
	}
}

void sl_log_setup(enum sl_log_level level, enum sl_log_format format)
{
	SL_ASSERT(level < SL_LOG_LEVEL_LAST);
	SL_ASSERT(format <= SL_LOG_JSON);
	__atomic_store_n(&log_state.level, (int)level, __ATOMIC_RELAXED);
	__atomic_store_n(&log_state.format, (int)format, __ATOMIC_RELAXED);
}

void sl_log_to_fd(int fd)
{
	SL_ASSERT(fd >= 0);
	__atomic_store_n(&log_state.fd, fd, __ATOMIC_RELAXED);
	__atomic_store_n(&log_state.fd_kind, FD_UNKNOWN, __ATOMIC_RELAXED);
}

void sl_log_thread_core(int core)
{
	thread_core_plus_one = core < 0 ? 0 : core + 1;
}

uint64_t sl_log_dropped(void)
{
	return __atomic_load_n(&log_state.dropped, __ATOMIC_RELAXED);
}
