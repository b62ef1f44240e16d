/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what went wrong to what the wire says.
 *
 * Interface: errmap.h. The one place of proto/http where an errno becomes a status.
 * Order of parts: reason phrases; refusals; errnos.
 */
#include "errmap.h"

#include <errno.h>

#include <sluice/assert.h>
#include <sluice/util.h>

/* ---- reason phrases --------------------------------------------------------------------- */

/* RFC 9110, section 15; RFC 6585 for 429 and 431. */
static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{100, "Continue"},
	{103, "Early Hints"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{206, "Partial Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
};

const char *http_status_reason(int status)
{
	SL_ASSERT(status >= 100 && status <= 999);
	for (size_t i = 0; i < SL_ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

/* ---- refusals --------------------------------------------------------------------------- */

static const struct http_error refusals[] = {
	[HTTP_REFUSE_NONE] = {500, "nothing is wrong with the request"},
	[HTTP_REFUSE_NOT_HTTP] = {400, "this port speaks HTTP without TLS, and these bytes "
				       "are something else"},
	[HTTP_REFUSE_REQUEST_LINE] = {400, "malformed request line"},
	[HTTP_REFUSE_TARGET] = {400, "malformed request target"},
	[HTTP_REFUSE_TARGET_LONG] = {414, "request line longer than http.max_head_bytes"},
	[HTTP_REFUSE_HEAD_LONG] = {431, "request head longer than http.max_head_bytes"},
	[HTTP_REFUSE_FIELDS_MANY] = {431, "too many header fields"},
	[HTTP_REFUSE_FIELD] = {400, "malformed header field"},
	[HTTP_REFUSE_BARE_LF] = {400, "a line ends with LF alone"},
	[HTTP_REFUSE_HOST] = {400, "Host is missing, repeated or malformed"},
	[HTTP_REFUSE_LENGTH] = {400, "malformed or repeated Content-Length"},
	[HTTP_REFUSE_FRAMING] = {400, "Content-Length and Transfer-Encoding together"},
	[HTTP_REFUSE_CODING] = {400, "Transfer-Encoding that does not end in chunked"},
	[HTTP_REFUSE_CODING_UNKNOWN] = {501, "no transfer coding but chunked is understood"},
	[HTTP_REFUSE_METHOD] = {501, "unknown method"},
	[HTTP_REFUSE_VERSION] = {505, "this port speaks HTTP/1.1, HTTP/1.0 and, from a "
				       "connection's first byte, HTTP/2"},
	[HTTP_REFUSE_EXPECT] = {417, "the only expectation understood is 100-continue"},
	[HTTP_REFUSE_BODY_LONG] = {413, "request body longer than http.max_body_bytes"},
};
_Static_assert(SL_ARRAY_SIZE(refusals) == HTTP_REFUSE_LAST, "one row for each refusal");

const struct http_error *http_refusal_error(enum http_refusal refusal)
{
	SL_ASSERT(refusal < HTTP_REFUSE_LAST);
	return &refusals[refusal];
}

/* ---- errnos ----------------------------------------------------------------------------- */

static const struct {
	int err;
	struct http_error error;
} errnos[] = {
	{EINVAL, {400, "invalid request"}},
	{EILSEQ, {400, "malformed path"}},
	{EPROTO, {400, "malformed request body"}},
	{EACCES, {403, "forbidden"}},
	{EXDEV, {403, "a link leads out of the folder that is served"}},
	{ELOOP, {403, "links lead round in a circle"}},
	{ENOENT, {404, "not found"}},
	{ENOTDIR, {404, "not found"}},
	{ETIME, {408, "the request did not come in time"}},
	{EEXIST, {409, "exists already"}},
	{EMSGSIZE, {413, "request body longer than http.max_body_bytes"}},
	{ENAMETOOLONG, {414, "the path, or a name in it, is too long"}},
	{EMFILE, {503, "out of descriptors"}},
	{ENFILE, {503, "out of descriptors"}},
	{EAGAIN, {503, "busy"}},
	{ENOMEM, {503, "out of memory"}},
	{ENOSPC, {507, "no space left on the device"}},
};

static const struct http_error internal = {500, "internal error"};

const struct http_error *http_errno_error(int err)
{
	SL_ASSERT(err < 0);
	for (size_t i = 0; i < SL_ARRAY_SIZE(errnos); i++)
		if (errnos[i].err == -err)
			return &errnos[i].error;
	return &internal;
}
