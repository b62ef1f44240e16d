/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of io_uring's opcodes, by the kernel's numbers: what programs in the kernel count by.
 *
 * Interface: sl_opcode_names(). Opcodes that op_table does not begin have no name, so that nothing
 * is shown of them.
 */
#include "uring_pvt.h"

#define NAME(id, name) [IORING_OP_##id] = (name)

static const char *const names[] = {
	NAME(READV, "readv"),
	NAME(WRITEV, "writev"),
	NAME(FSYNC, "fsync"),
	NAME(READ_FIXED, "read_fixed"),
	NAME(POLL_ADD, "poll_add"),
	NAME(SENDMSG, "sendmsg"),
	NAME(TIMEOUT, "timeout"),
	NAME(ACCEPT, "accept"),
	NAME(ASYNC_CANCEL, "async_cancel"),
	NAME(CONNECT, "connect"),
	NAME(FALLOCATE, "fallocate"),
	NAME(OPENAT, "openat"),
	NAME(OPENAT2, "openat2"),
	NAME(CLOSE, "close"),
	NAME(STATX, "statx"),
	NAME(READ, "read"),
	NAME(WRITE, "write"),
	NAME(FADVISE, "fadvise"),
	NAME(SEND, "send"),
	NAME(SEND_ZC, "send_zc"),
	NAME(RECV, "recv"),
	NAME(SPLICE, "splice"),
	NAME(SHUTDOWN, "shutdown"),
	NAME(RENAMEAT, "renameat"),
	NAME(UNLINKAT, "unlinkat"),
	NAME(MKDIRAT, "mkdirat"),
	NAME(MSG_RING, "msg_ring"),
	NAME(FTRUNCATE, "ftruncate"),
};
_Static_assert(SL_ARRAY_SIZE(names) <= IORING_OP_LAST, "names of opcodes alone");

const char *const *sl_opcode_names(uint32_t *ret_n)
{
	*ret_n = SL_ARRAY_SIZE(names);
	return names;
}
