/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: lines about what happened, on standard error, as logfmt or JSON.
 *
 *	sl_log_warn("conn.closed", SL_KV(peer, name), SL_KV(received_bytes, n), SL_KV_ERRNO(rc));
 *
 * writes, with one write(2),
 *
 *	time=2026-01-31T12:00:00.123Z level=warn event=conn.closed core=0 peer=127.0.0.1:5123
 *	received_bytes=17 error="Connection reset by peer"
 *
 * An event is a constant of words joined by dots: what, then what happened to it. Units are in
 * the keys. Only dataplane, proto and tools log, once, at the boundary of a connection or core.
 *
 * Each place that logs is limited to a burst of lines in a few seconds; what it leaves out is
 * counted and told by its next line (suppressed=N). For that each place has a static struct
 * sl_log_site, the one kind of mutable static there is; its fields are atomics.
 *
 * A line never waits for its reader: where standard error is a pipe or socket that is full, the
 * line is dropped and counted, and the next one tells (dropped=N).
 */
#ifndef DATAPLANE_LOG_H
#define DATAPLANE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* node.log_level; in the order of its ONEOF. */
enum sl_log_level {
	SL_LOG_LEVEL_ERR,
	SL_LOG_LEVEL_WARN,
	SL_LOG_LEVEL_NOTICE,
	SL_LOG_LEVEL_INFO,
	SL_LOG_LEVEL_DEBUG,
	SL_LOG_LEVEL_LAST
};

/* node.log_format; in the order of its ONEOF. */
enum sl_log_format { SL_LOG_LOGFMT, SL_LOG_JSON };

/* The longest line, newline included: a pipe takes this much whole or not at all (PIPE_BUF). */
#define SL_LOG_LINE_BYTES 4096

#define SL_LOG_FIELDS_MAX 16

/* Lines that one place may write in SL_LOG_WINDOW_S seconds; debug lines are not limited. */
#define SL_LOG_BURST_LINES 10
#define SL_LOG_WINDOW_S 5

enum sl_log_type {
	SL_LOG_STRING, /* NUL-terminated; NULL is written as "" */
	SL_LOG_BYTES, /* of a peer, any bytes */
	SL_LOG_INT,
	SL_LOG_UINT,
	SL_LOG_BOOL,
	SL_LOG_DOUBLE,
	SL_LOG_ERRNO,
};

/* One key and value; made by SL_KV and its kin, borrowed for the call. */
struct sl_log_field {
	const char *key;
	enum sl_log_type kind;
	size_t len; /* BYTES */
	union {
		const void *data;
		int64_t i;
		uint64_t u;
		double d;
	};
};

/* One place that logs. */
struct sl_log_site {
	uint64_t window_start; /* seconds, monotonic */
	uint32_t lines; /* let through in this window */
	uint32_t suppressed;
};

/* Key @name (a word, not quoted) with a number, bool or string. */
#define SL_KV(name, value)                                                                         \
	_Generic((value),                                                                          \
		bool: sl_log_field_bool,                                                           \
		char: sl_log_field_int,                                                            \
		signed char: sl_log_field_int,                                                     \
		short: sl_log_field_int,                                                           \
		int: sl_log_field_int,                                                             \
		long: sl_log_field_int,                                                            \
		long long: sl_log_field_int,                                                       \
		unsigned char: sl_log_field_uint,                                                  \
		unsigned short: sl_log_field_uint,                                                 \
		unsigned int: sl_log_field_uint,                                                   \
		unsigned long: sl_log_field_uint,                                                  \
		unsigned long long: sl_log_field_uint,                                             \
		float: sl_log_field_double,                                                        \
		double: sl_log_field_double,                                                       \
		char *: sl_log_field_string,                                                       \
		const char *: sl_log_field_string)(#name, (value))

/* Bytes that may be anything and need no NUL. */
#define SL_KV_BYTES(name, bytes, n)                                                                \
	((struct sl_log_field){.key = #name, .kind = SL_LOG_BYTES, .data = (bytes), .len = (n)})

/* error="No space left on device" from an errno, of either sign. */
#define SL_KV_ERRNO(err) SL_KV_ERRNO_AS(error, err)
#define SL_KV_ERRNO_AS(name, err)                                                                  \
	((struct sl_log_field){.key = #name, .kind = SL_LOG_ERRNO, .i = (err)})

#define sl_log_err(event, ...) SL_LOG(SL_LOG_LEVEL_ERR, event, ##__VA_ARGS__)
#define sl_log_warn(event, ...) SL_LOG(SL_LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define sl_log_notice(event, ...) SL_LOG(SL_LOG_LEVEL_NOTICE, event, ##__VA_ARGS__)
#define sl_log_info(event, ...) SL_LOG(SL_LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define sl_log_debug(event, ...) SL_LOG(SL_LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)

/* Fields are not evaluated when the level is off. Not for use in inline functions of headers. */
#define SL_LOG(level, event, ...)                                                                  \
	do {                                                                                       \
		static struct sl_log_site sl_log_site_ __attribute__((section("sl_log_sites")));   \
		uint32_t sl_log_suppressed_;                                                       \
		if (sl_log_on(level) && sl_log_admit(&sl_log_site_, level, &sl_log_suppressed_)) { \
			const struct sl_log_field sl_log_fields_[] = {{.key = NULL},               \
								      ##__VA_ARGS__};              \
			sl_log_write(level, event, sl_log_fields_ + 1,                             \
				     sizeof(sl_log_fields_) / sizeof(sl_log_fields_[0]) - 1,       \
				     sl_log_suppressed_);                                          \
		}                                                                                  \
	} while (0)

/**
 * sl_log_setup() - choose what is written and how; again after a reload. Until the first call:
 * info and above, logfmt. May be called while other threads log.
 */
void sl_log_setup(enum sl_log_level level, enum sl_log_format format);

/* Lines go to @fd, standard error at first. For tests and for a daemon that keeps its own copy. */
void sl_log_to_fd(int fd);

/* Lines of this thread carry core=@core from now on; negative: none. */
void sl_log_thread_core(int core);

/* Whether lines of @level are written. */
bool sl_log_on(enum sl_log_level level);

/* Lines dropped because standard error was full, since the start. */
uint64_t sl_log_dropped(void);

/* What the macros are made of. */
bool sl_log_admit(struct sl_log_site *site, enum sl_log_level level, uint32_t *ret_suppressed);
void sl_log_write(enum sl_log_level level, const char *event, const struct sl_log_field *fields,
		  size_t n, uint32_t suppressed);

/**
 * sl_log_format() - one line, newline included, into @ret_line, SL_LOG_LINE_BYTES bytes.
 * @wall_ns: time since 1970. A line that would be longer loses its last fields, and says so by
 * truncated=true. Return: its length.
 */
size_t sl_log_format(enum sl_log_format format, int64_t wall_ns, enum sl_log_level level,
		     const char *event, const struct sl_log_field *fields, size_t n,
		     char *ret_line);

static inline struct sl_log_field sl_log_field_bool(const char *key, bool v)
{
	return (struct sl_log_field){.key = key, .kind = SL_LOG_BOOL, .u = v};
}

static inline struct sl_log_field sl_log_field_int(const char *key, int64_t v)
{
	return (struct sl_log_field){.key = key, .kind = SL_LOG_INT, .i = v};
}

static inline struct sl_log_field sl_log_field_uint(const char *key, uint64_t v)
{
	return (struct sl_log_field){.key = key, .kind = SL_LOG_UINT, .u = v};
}

static inline struct sl_log_field sl_log_field_double(const char *key, double v)
{
	return (struct sl_log_field){.key = key, .kind = SL_LOG_DOUBLE, .d = v};
}

static inline struct sl_log_field sl_log_field_string(const char *key, const char *v)
{
	return (struct sl_log_field){.key = key, .kind = SL_LOG_STRING, .data = v};
}

#endif
