/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of io_uring's opcodes, by the kernel's numbers: what programs in the kernel count by.
 *
 * Interface: sl_opcode_names(). An opcode that this build's liburing does not know has no name;
 * nothing here can begin one.
 */
#include "uring_pvt.h"

#define NAME(id, name) [IORING_OP_##id] = (name)

static const char *const names[] = {
	NAME(NOP, "nop"),
	NAME(READV, "readv"),
	NAME(WRITEV, "writev"),
	NAME(FSYNC, "fsync"),
	NAME(READ_FIXED, "read_fixed"),
	NAME(WRITE_FIXED, "write_fixed"),
	NAME(POLL_ADD, "poll_add"),
	NAME(POLL_REMOVE, "poll_remove"),
	NAME(SYNC_FILE_RANGE, "sync_file_range"),
	NAME(SENDMSG, "sendmsg"),
	NAME(RECVMSG, "recvmsg"),
	NAME(TIMEOUT, "timeout"),
	NAME(TIMEOUT_REMOVE, "timeout_remove"),
	NAME(ACCEPT, "accept"),
	NAME(ASYNC_CANCEL, "async_cancel"),
	NAME(LINK_TIMEOUT, "link_timeout"),
	NAME(CONNECT, "connect"),
	NAME(FALLOCATE, "fallocate"),
	NAME(OPENAT, "openat"),
	NAME(CLOSE, "close"),
	NAME(FILES_UPDATE, "files_update"),
	NAME(STATX, "statx"),
	NAME(READ, "read"),
	NAME(WRITE, "write"),
	NAME(FADVISE, "fadvise"),
	NAME(MADVISE, "madvise"),
	NAME(SEND, "send"),
	NAME(RECV, "recv"),
	NAME(OPENAT2, "openat2"),
	NAME(EPOLL_CTL, "epoll_ctl"),
	NAME(SPLICE, "splice"),
	NAME(PROVIDE_BUFFERS, "provide_buffers"),
	NAME(REMOVE_BUFFERS, "remove_buffers"),
	NAME(TEE, "tee"),
	NAME(SHUTDOWN, "shutdown"),
	NAME(RENAMEAT, "renameat"),
	NAME(UNLINKAT, "unlinkat"),
	NAME(MKDIRAT, "mkdirat"),
	NAME(SYMLINKAT, "symlinkat"),
	NAME(LINKAT, "linkat"),
	NAME(MSG_RING, "msg_ring"),
	NAME(FSETXATTR, "fsetxattr"),
	NAME(SETXATTR, "setxattr"),
	NAME(FGETXATTR, "fgetxattr"),
	NAME(GETXATTR, "getxattr"),
	NAME(SOCKET, "socket"),
	NAME(URING_CMD, "uring_cmd"),
	NAME(SEND_ZC, "send_zc"),
	NAME(SENDMSG_ZC, "sendmsg_zc"),
	NAME(READ_MULTISHOT, "read_multishot"),
	NAME(WAITID, "waitid"),
	NAME(FUTEX_WAIT, "futex_wait"),
	NAME(FUTEX_WAKE, "futex_wake"),
	NAME(FUTEX_WAITV, "futex_waitv"),
	NAME(FIXED_FD_INSTALL, "fixed_fd_install"),
	NAME(FTRUNCATE, "ftruncate"),
	NAME(BIND, "bind"),
	NAME(LISTEN, "listen"),
};
_Static_assert(SL_ARRAY_SIZE(names) <= IORING_OP_LAST, "a name for opcodes alone");

const char *const *sl_opcode_names(uint32_t *ret_n)
{
	*ret_n = SL_ARRAY_SIZE(names);
	return names;
}
