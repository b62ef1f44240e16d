// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of `sluice doctor`.
 *
 * Interface: doctor_checks in doctor.h, and what its checks are made of; those of memory are in
 * doctor_memory.c. A check looks, and changes nothing. It fails only for what
 * keeps the daemon from starting; what costs speed or safety is a warning.
 *
 * Order of parts: helpers; kernel and io_uring; kernel programs; steering; limits; sysctls; the
 * processor; the folder; listeners; the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "doctor.h"
#include "uring/uring.h"
#include "vectors/vectors.h"

/* ---- helpers ---------------------------------------------------------------------------- */

void doctor_add(struct doctor *d, enum doctor_level level, const char *name, const char *cure,
		const char *format, ...)
{
	struct doctor_finding *f;
	va_list args;

	SL_ASSERT(d->report->n < DOCTOR_FINDINGS_MAX);
	f = &d->report->v[d->report->n++];
	*f = (struct doctor_finding){.level = level};
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->cure, sizeof(f->cure), "%s", level == DOCTOR_OK ? "" : cure);
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

void doctor_value(struct doctor *d, const char *format, ...)
{
	struct doctor_finding *f = &d->report->v[d->report->n - 1];
	va_list args;

	SL_ASSERT(d->report->n > 0);
	va_start(args, format);
	vsnprintf(f->value, sizeof(f->value), format, args);
	va_end(args);
}

bool doctor_read_line(const struct doctor *d, const char *path, char *ret_line, size_t len)
{
	char full[512];
	FILE *f;
	bool got;

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	f = fopen(full, "re");
	if (!f)
		return false;
	got = fgets(ret_line, (int)len, f);
	fclose(f);
	if (got)
		ret_line[strcspn(ret_line, "\n")] = 0;
	return got;
}

bool doctor_read_number(const struct doctor *d, const char *path, int64_t *ret_v)
{
	char line[64];
	long long v;

	if (!doctor_read_line(d, path, line, sizeof(line)) || sscanf(line, "%lld", &v) != 1)
		return false;
	*ret_v = v;
	return true;
}

static void bytes_format(uint64_t n, char *ret_text, size_t len)
{
	static const char units[] = "KMGTPE";
	double v = (double)n / 1024;
	size_t i = 0;

	for (; v >= 1024 && i < sizeof(units) - 2; i++)
		v /= 1024;
	snprintf(ret_text, len, "%.1f %ciB", v, units[i]);
}

/* ---- kernel and io_uring ---------------------------------------------------------------- */

bool doctor_release_at_least(const char *text, int major, int minor)
{
	int is_major, is_minor;

	if (sscanf(text, "%d.%d", &is_major, &is_minor) != 2)
		return false;
	return is_major > major || (is_major == major && is_minor >= minor);
}

static void check_kernel(struct doctor *d, const char *name)
{
	bool good = doctor_release_at_least(d->release, 6, 1);

	doctor_add(d, good ? DOCTOR_OK : DOCTOR_FAIL, name,
		   "boot Linux 6.1 or later (on Debian: apt install linux-image-amd64)",
		   "Linux %s; sluice needs 6.1 or later", d->release);
	doctor_value(d, "%s", d->release);
}

static void check_io_uring_disabled(struct doctor *d, const char *name)
{
	static const char cure[] = "sysctl -w kernel.io_uring_disabled=0";
	int64_t v;

	if (!doctor_read_number(d, "/proc/sys/kernel/io_uring_disabled", &v)) {
		doctor_add(d, DOCTOR_OK, name, "", "this kernel has no such switch");
		return;
	}
	if (!v)
		doctor_add(d, DOCTOR_OK, name, "", "kernel.io_uring_disabled=0: allowed to all");
	else if (v == 1)
		doctor_add(d, DOCTOR_WARN, name, cure,
			   "kernel.io_uring_disabled=1: allowed to root and the group "
			   "kernel.io_uring_group only");
	else
		doctor_add(d, DOCTOR_FAIL, name, cure,
			   "kernel.io_uring_disabled=%" PRId64 ": forbidden to all", v);
	doctor_value(d, "%" PRId64, v);
}

static void add_feature(struct doctor *d, const struct sl_ring *ring, enum sl_feature f)
{
	const struct sl_feature_info *info = sl_feature_info(f);
	char name[sizeof(d->report->v[0].name)], cure[160];
	int major = 0, minor = 0;

	snprintf(name, sizeof(name), "io_uring.%s", info->name);
	if (sl_ring_has(ring, f)) {
		doctor_add(d, DOCTOR_OK, name, "", "there (Linux %s)", info->since);
		return;
	}
	sscanf(info->since, "%d.%d", &major, &minor);
	if (doctor_release_at_least(d->release, major, minor))
		snprintf(cure, sizeof(cure),
			 "Linux has it since %s: a seccomp filter, or this kernel's build, keeps "
			 "it back", info->since);
	else
		snprintf(cure, sizeof(cure), "boot Linux %s or later", info->since);
	doctor_add(d, info->required ? DOCTOR_FAIL : DOCTOR_WARN, name, cure, "%s: %s",
		   info->required ? "missing, and required for" : "missing; without it",
		   info->without);
}

/* A ring as the daemon's cores make it. */
static void check_io_uring(struct doctor *d, const char *name)
{
	struct sl_ring_conf conf = {.files = 16, .buffers = 16};
	struct sl_ring *ring;
	char why[512] = "";
	const char *cure;
	int err;

	if (sl_ring_new(&conf, &ring, why, sizeof(why))) {
		/* "cause; cure" or "cause: cure", in the words of uring/. */
		cure = strpbrk(why, ";:");
		doctor_add(d, DOCTOR_FAIL, name, cure ? cure + 1 + strspn(cure + 1, " ") : why,
			   "%.*s", cure ? (int)(cure - why) : (int)strlen(why), why);
		return;
	}
	err = sl_ring_enable(ring);
	if (err) {
		doctor_add(d, DOCTOR_FAIL, name, "look for a seccomp filter",
			   "a ring cannot be enabled: %s", strerror(-err));
		sl_ring_free(ring);
		return;
	}
	doctor_add(d, DOCTOR_OK, name, "", "a ring can be set up");
	for (int f = 0; f < SL_FEATURE_LAST; f++)
		add_feature(d, ring, (enum sl_feature)f);
	sl_ring_free(ring);
}

/* ---- kernel programs -------------------------------------------------------------------- */

/* Loads @p as the daemon would, were it started by this user, and unloads it. */
static void check_program(struct doctor *d, enum sl_bpf_program p)
{
	const struct sl_bpf_conf conf = {.wanted = UINT64_C(1) << p};
	const struct sl_bpf_info *info = sl_bpf_info(p);
	const struct sl_bpf_status *s;
	char name[sizeof(d->report->v[0].name)];
	struct sl_bpf *bpf;
	const char *cure;

	snprintf(name, sizeof(name), "bpf.%s", info->name);
	if (sl_bpf_load(&conf, &bpf)) {
		doctor_add(d, DOCTOR_WARN, name, "try again", "out of memory");
		return;
	}
	s = sl_bpf_status(bpf, p);
	if (s->state == SL_BPF_LOADED) {
		doctor_add(d, DOCTOR_OK, name, "", "loads, and attaches to %s", info->attach);
	} else {
		cure = strchr(s->why, ';');
		doctor_add(d, DOCTOR_WARN, name, cure ? cure + 2 : "boot another kernel",
			   "refused: %.*s; without it %s",
			   cure ? (int)(cure - s->why) : (int)strlen(s->why), s->why,
			   info->without);
	}
	sl_bpf_free(bpf);
}

static void check_bpf(struct doctor *d, const char *name)
{
	if (!d->conf->bpf.enabled) {
		doctor_add(d, DOCTOR_OK, name, "", "bpf.enabled = no: no program is asked for");
		return;
	}
	for (int p = 0; p < SL_BPF_LAST; p++)
		check_program(d, (enum sl_bpf_program)p);
}

/* ---- steering --------------------------------------------------------------------------- */

/* A listener as the daemon has it, on a port of the kernel's choice. Return: it, or -1. */
static int listen_somewhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) &&
	    !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1))
		return fd;
	close(fd);
	return -1;
}

/* By what the policy @s would be carried out. Not bound: no listener is no news about steering. */
static enum sl_steer_mechanism try_steering(const struct sl_steering *s)
{
	enum sl_steer_mechanism by = SL_STEER_BY_KERNEL;
	int fd = listen_somewhere();

	if (fd >= 0) {
		by = sl_steer_apply(s, 0, 0, fd);
		close(fd);
	}
	return by;
}

static void check_steering(struct doctor *d, const char *name)
{
	const struct sl_bpf_conf conf = {
		.wanted = (uint64_t)(d->conf->bpf.enabled && d->conf->bpf.steer) << SL_BPF_STEER};
	uint32_t cores = d->conf->node.cores.count;
	enum sl_steer_mechanism by;
	enum sl_steer_policy policy;
	struct sl_steering s;
	struct sl_bpf *bpf;

	cores = cores ? cores : (uint32_t)sl_max(sysconf(_SC_NPROCESSORS_ONLN), 1L);
	policy = sl_steer_policy_of((enum sl_steering_choice)d->conf->node.steering, cores);
	if (sl_bpf_load(&conf, &bpf)) {
		doctor_add(d, DOCTOR_WARN, name, "try again", "out of memory");
		return;
	}
	sl_steering_init(&s, bpf, cores, NULL);
	sl_steering_set(&s, policy, &d->conf->node.steering_rules);
	by = try_steering(&s);
	doctor_add(d, policy == SL_STEER_HASH || by == SL_STEER_BY_EBPF ? DOCTOR_OK : DOCTOR_WARN,
		   name, "see bpf.steer", "%s on %u core%s, by %s", sl_steer_policy_name(policy),
		   cores, cores > 1 ? "s" : "",
		   by == SL_STEER_BY_KERNEL ? "the kernel's hash" : sl_steer_mechanism_name(by));
	sl_bpf_free(bpf);
}

/* ---- limits ----------------------------------------------------------------------------- */

/* The daemon raises its soft limits to the hard ones, so that these are what counts. */
static bool limit_reaches(int resource, uint64_t wanted, char *ret_text, size_t len)
{
	struct rlimit l;

	if (getrlimit(resource, &l)) {
		snprintf(ret_text, len, "unknown");
		return false;
	}
	if (l.rlim_max == RLIM_INFINITY) {
		snprintf(ret_text, len, "unlimited");
		return true;
	}
	snprintf(ret_text, len, "%" PRIu64, (uint64_t)l.rlim_max);
	return l.rlim_max >= wanted;
}

static void check_memlock(struct doctor *d, const char *name)
{
	char now[32];
	bool good = limit_reaches(RLIMIT_MEMLOCK, 64 * SL_MIB, now, sizeof(now));

	doctor_add(d, good || !geteuid() ? DOCTOR_OK : DOCTOR_WARN, name,
		   "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
		   "at most %s bytes of locked memory%s", now,
		   good	       ? ""
		   : !geteuid() ? ", which root may exceed"
				: "; with less than 64 MiB buffers are not registered, and reads "
				  "map their pages each time");
	doctor_value(d, "%s", now);
}

static void check_nofile(struct doctor *d, const char *name)
{
	uint64_t wanted = d->conf->conn.max + 15536; /* the default of conn.max makes it 65536 */
	char now[32];
	bool good = limit_reaches(RLIMIT_NOFILE, wanted, now, sizeof(now));

	doctor_add(d, good ? DOCTOR_OK : DOCTOR_WARN, name,
		   "ulimit -Hn 1048576 (as root), or LimitNOFILE=1048576 in the unit",
		   "at most %s open files; conn.max = %" PRIu64 " and open segments want %" PRIu64,
		   now, d->conf->conn.max, wanted);
	doctor_value(d, "%s", now);
}

/* ---- sysctls ---------------------------------------------------------------------------- */

/* Finds fault with less than @min; 0 stands for no limit where @zero_is_none. */
static void check_sysctl(struct doctor *d, const char *name, const char *sysctl, int64_t min,
			 bool zero_is_none, const char *why)
{
	char path[128] = "/proc/sys/", cure[128];
	size_t n = strlen(path);
	int64_t v;

	for (const char *c = sysctl; *c && n < sizeof(path) - 1; c++)
		path[n++] = *c == '.' ? '/' : *c;
	path[n] = 0;
	snprintf(cure, sizeof(cure), "sysctl -w %s=%" PRId64, sysctl, min);
	if (!doctor_read_number(d, path, &v)) {
		doctor_add(d, DOCTOR_OK, name, "", "%s is not there to be read", sysctl);
		return;
	}
	doctor_add(d, v >= min || (zero_is_none && !v) ? DOCTOR_OK : DOCTOR_WARN, name, cure,
		   "%s=%" PRId64 "; %s", sysctl, v, why);
	doctor_value(d, "%" PRId64, v);
}

static void check_somaxconn(struct doctor *d, const char *name)
{
	check_sysctl(d, name, "net.core.somaxconn", 4096, false,
		     "so many connections wait to be accepted, more are refused");
}

static void check_pipe_pages(struct doctor *d, const char *name)
{
	check_sysctl(d, name, "fs.pipe-user-pages-soft", 16384, true,
		     "pipes beyond so many pages of a user are made of one page, and splice slows");
}

static void check_map_count(struct doctor *d, const char *name)
{
	check_sysctl(d, name, "vm.max_map_count", 65530, false,
		     "a stack and its guard page take two mappings where the kernel has no "
		     "lightweight guards (before 6.13)");
}

static void check_nr_open(struct doctor *d, const char *name)
{
	check_sysctl(d, name, "fs.nr_open", (int64_t)d->conf->conn.max + 15536, false,
		     "no process has more files open than that, whatever its limit: connections "
		     "beyond are refused");
}

/* What a socket may send ahead of acknowledgements bounds a path by its delay. */
static void check_tcp_wmem(struct doctor *d, const char *name)
{
	enum { WANTED = 4 << 20, DELAYS_PER_S = 20 };
	long long least, first, most;
	char line[128];

	if (!doctor_read_line(d, "/proc/sys/net/ipv4/tcp_wmem", line, sizeof(line)) ||
	    sscanf(line, "%lld %lld %lld", &least, &first, &most) != 3) {
		doctor_add(d, DOCTOR_OK, name, "", "net.ipv4.tcp_wmem is not there to be read");
		return;
	}
	doctor_add(d, most >= WANTED ? DOCTOR_OK : DOCTOR_WARN, name,
		   "sysctl -w net.ipv4.tcp_wmem='4096 16384 4194304'",
		   "net.ipv4.tcp_wmem=%lld %lld %lld; over a path with 50 ms of delay one "
		   "connection gets at most %lld Mbit/s", least, first, most,
		   most * DELAYS_PER_S * 8 / 1000000);
	doctor_value(d, "%lld", most);
}

static void check_landlock(struct doctor *d, const char *name)
{
	enum { VERSION_ONLY = 1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_ONLY);

	doctor_add(d, abi > 0 ? DOCTOR_OK : DOCTOR_WARN, name,
		   "add landlock to the kernel's lsm= parameter",
		   abi > 0 ? "the daemon can be confined to its folders"
			   : "not available: the daemon is not confined to its folders");
}

/* The kernel's module has its name in a list of words. */
static bool kernel_has_tls(const struct doctor *d)
{
	char line[200], *rest = line, *word;

	if (!doctor_read_line(d, "/proc/sys/net/ipv4/tcp_available_ulp", line, sizeof(line)))
		return false;
	while ((word = strsep(&rest, " \t\n")))
		if (!strcmp(word, "tls"))
			return true;
	return false;
}

static void check_tls(struct doctor *d, const char *name)
{
	bool has = kernel_has_tls(d), wanted = d->conf->tls.kernel && d->conf->tls.listeners[0];

	doctor_add(d, has || !wanted ? DOCTOR_OK : DOCTOR_WARN, name,
		   "modprobe tls; echo tls >/etc/modules-load.d/tls.conf",
		   has ? "the kernel encrypts what TLS 1.3 sends: files still go by sendfile"
		       : "the kernel has no module tls: what TLS sends is read and encrypted by "
			 "the daemon, files too");
	doctor_value(d, "%s", has ? "tls" : "");
}

/* ---- the processor ---------------------------------------------------------------------- */

/* Searches by vectors compute distances, and little else. */
static void check_vector_instructions(struct doctor *d, const char *name)
{
	enum sl_distance_set set = SL_DISTANCE_AVX512;

	while (!sl_distance_of(set, SL_METRIC_L2, SL_F32))
		set++;
	doctor_add(d, set == SL_DISTANCE_SCALAR ? DOCTOR_WARN : DOCTOR_OK, name,
		   "use a processor with AVX2 (x86-64-v3), and a virtual machine that shows it "
		   "(on QEMU: -cpu host)",
		   set == SL_DISTANCE_SCALAR ? "none: distances of vectors are computed one number "
					       "at a time, several times slower"
		   : set == SL_DISTANCE_AVX2 ? "AVX2; with AVX-512 and its VNNI distances of "
					       "vectors would be faster still"
		   : set == SL_DISTANCE_NEON ? "NEON" : "AVX-512 with VNNI");
	doctor_value(d, "%s", sl_distance_set_name(set));
}

/* ---- the folder ------------------------------------------------------------------------- */

#define VOLUME "put node.datadir on a volume with ext4 or xfs"

static const struct {
	uint32_t magic;
	const char *name;
	const char *fault; /* NULL: none */
} file_systems[] = {
	{0xef53, "ext4", NULL},
	{0x58465342, "xfs", NULL},
	{0x9123683e, "btrfs", NULL},
	{0xf2f52010, "f2fs", NULL},
	{0x2fc12fc1, "zfs", NULL},
	{0x01021994, "tmpfs", "it is memory: nothing outlives the machine"},
	{0x858458f6, "ramfs", "it is memory: nothing outlives the machine"},
	{0x794c7630, "overlayfs", "it is a container's layer, and goes with the container"},
	{0x6969, "nfs", "what a sync means is the server's choice"},
	{0xff534d42, "cifs", "what a sync means is the server's choice"},
	{0xfe534d42, "smb2", "what a sync means is the server's choice"},
	{0x01021997, "9p", "what a sync means is the host's choice"},
	{0x65735546, "fuse", "what a sync means is its program's choice"},
};

static void check_file_system(struct doctor *d, const char *name, const char *dir,
			      const struct statfs *fs)
{
	uint32_t magic = (uint32_t)fs->f_type;

	for (size_t i = 0; i < SL_ARRAY_SIZE(file_systems); i++) {
		if (file_systems[i].magic != magic)
			continue;
		if (file_systems[i].fault)
			doctor_add(d, DOCTOR_WARN, name, VOLUME, "%s is on %s: %s", dir,
				   file_systems[i].name, file_systems[i].fault);
		else
			doctor_add(d, DOCTOR_OK, name, "", "%s is on %s", dir,
				   file_systems[i].name);
		return;
	}
	doctor_add(d, DOCTOR_WARN, name, VOLUME,
		   "%s is on a file system that sluice was not tried on (0x%" PRIx32 ")", dir,
		   magic);
}

static void check_space(struct doctor *d, const char *name, const char *dir,
			const struct statfs *fs)
{
	uint64_t bytes = (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize;
	char text[32];

	bytes_format(bytes, text, sizeof(text));
	doctor_add(d, bytes < 64 * SL_MIB ? DOCTOR_FAIL : bytes < SL_GIB ? DOCTOR_WARN : DOCTOR_OK,
		   name, "free space there, or choose another node.datadir",
		   "%s are free at %s", text, dir);
}

/* The folder, or the nearest one above it that exists: the daemon creates the last part alone. */
static bool existing_folder(const char *path, char *ret_dir, size_t len)
{
	char *slash;

	snprintf(ret_dir, len, "%s", path);
	if (!access(ret_dir, F_OK))
		return true;
	slash = strrchr(ret_dir, '/');
	if (slash)
		slash[slash == ret_dir] = 0;
	else
		snprintf(ret_dir, len, ".");
	return !access(ret_dir, F_OK);
}

static void check_datadir(struct doctor *d, const char *name)
{
	const char *path = d->conf->node.datadir;
	struct statfs fs;
	char dir[4096], cure[160];

	if (!existing_folder(path, dir, sizeof(dir))) {
		snprintf(cure, sizeof(cure), "mkdir -p %.140s", path);
		doctor_add(d, DOCTOR_FAIL, name, cure, "the folder above %.200s does not exist",
			   path);
		return;
	}
	if (access(dir, W_OK | X_OK)) {
		snprintf(cure, sizeof(cure), "chown the folder to the daemon's user");
		doctor_add(d, DOCTOR_FAIL, name, cure, "%.200s: %s", dir, strerror(errno));
		return;
	}
	if (statfs(dir, &fs)) {
		doctor_add(d, DOCTOR_FAIL, name, VOLUME, "%.200s: %s", dir, strerror(errno));
		return;
	}
	check_file_system(d, "datadir.filesystem", dir, &fs);
	check_space(d, "datadir.space", dir, &fs);
}

/* ---- listeners -------------------------------------------------------------------------- */

static void check_address(struct doctor *d, const char *name, const struct sl_conf_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[SL_CONF_ADDR_TEXT], cure[100];
	int one = 1, err = 0;

	sl_conf_addr_format(addr, text);
	if (fd < 0) {
		doctor_add(d, DOCTOR_FAIL, name, "choose another address", "%s: %s", text,
			   strerror(errno));
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &addr->sa, addr->sa_bytes))
		err = errno;
	close(fd);
	snprintf(cure, sizeof(cure), "ss -ltnp 'sport = :%d' shows who listens there",
		 ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in4.sin_port));
	if (err == EADDRINUSE)
		doctor_add(d, DOCTOR_WARN, name, cure,
			   "%s is in use, by a running daemon or by another program", text);
	else if (err)
		doctor_add(d, DOCTOR_FAIL, name, "choose another address, or run as root", "%s: %s",
			   text, strerror(err));
	else
		doctor_add(d, DOCTOR_OK, name, "", "%s is free", text);
}

static void check_listeners(struct doctor *d, const char *name)
{
	const struct sl_conf_addrs *kafka = &d->conf->kafka.listen, *http = &d->conf->http.listen;

	for (uint32_t i = 0; i < kafka->n; i++)
		check_address(d, "kafka.listen", &kafka->addrs[i]);
	for (uint32_t i = 0; i < http->n; i++)
		check_address(d, "http.listen", &http->addrs[i]);
}

/* ---- the table -------------------------------------------------------------------------- */

const struct doctor_check doctor_checks[] = {
	{"kernel", check_kernel},
	{"io_uring_disabled", check_io_uring_disabled},
	{"io_uring", check_io_uring},
	{"bpf", check_bpf},
	{"steering", check_steering},
	{"limit.memlock", check_memlock},
	{"limit.nofile", check_nofile},
	{"somaxconn", check_somaxconn},
	{"pipe_user_pages_soft", check_pipe_pages},
	{"max_map_count", check_map_count},
	{"nr_open", check_nr_open},
	{"tcp_wmem", check_tcp_wmem},
	{"vector_instructions", check_vector_instructions},
	{"memory", doctor_check_memory},
	{"hugepages", doctor_check_hugepages},
	{"transparent_hugepages", doctor_check_thp},
	{"numa", doctor_check_numa},
	{"landlock", check_landlock},
	{"kernel_tls", check_tls},
	{"datadir", check_datadir},
	{"listeners", check_listeners},
};
const size_t doctor_checks_n = SL_ARRAY_SIZE(doctor_checks);
