// SPDX-License-Identifier: Apache-2.0
/*
 * Requests that no server may answer as if they were sound: ways to smuggle one request inside
 * another (RFC 9112, section 11.2), malformed lines and fields, what is not HTTP at all.
 */
#include "corpus.h"

#include <sluice/util.h>

#define ROW(what, code, text) {what, text, sizeof(text) - 1, code}
#define HOST "Host: h\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define GET "GET / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"

const struct corpus_row corpus[] = {
	/* The body's length told in two ways. */
	ROW("cl_and_te", 400,
	    POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
	ROW("te_and_cl", 400,
	    POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" HIDDEN),
	ROW("cl_twice_different", 400,
	    POST "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello" HIDDEN),
	ROW("cl_twice_the_same", 400,
	    POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" HIDDEN),
	ROW("cl_list", 400, POST "Content-Length: 5, 5\r\n\r\nhello" HIDDEN),
	ROW("cl_list_different", 400, POST "Content-Length: 5, 6\r\n\r\nhello" HIDDEN),
	ROW("te_twice", 400,
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_twice_one_unknown", 400,
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n"),
	ROW("te_in_http_1_0", 400,
	    "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN),
	/* A length that readers read differently. */
	ROW("cl_plus", 400, POST "Content-Length: +5\r\n\r\nhello"),
	ROW("cl_minus", 400, POST "Content-Length: -5\r\n\r\nhello"),
	ROW("cl_hex", 400, POST "Content-Length: 0x5\r\n\r\nhello"),
	ROW("cl_empty", 400, POST "Content-Length:\r\n\r\n"),
	ROW("cl_inner_space", 400, POST "Content-Length: 1 0\r\n\r\n0123456789"),
	ROW("cl_overflow", 400, POST "Content-Length: 18446744073709551616\r\n\r\n"),
	ROW("cl_overflow_to_5", 400, POST "Content-Length: 18446744073709551621\r\n\r\nhello"),
	ROW("cl_letters", 400, POST "Content-Length: five\r\n\r\nhello"),
	ROW("cl_first_field_indented", 400, "POST / HTTP/1.1\r\n Content-Length: 5\r\n" HOST
					    "\r\nhello"),
	/* A coding that readers read differently. */
	ROW("te_space_before_colon", 400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_tab_before_colon", 400, POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_misspelt", 400, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	ROW("te_suffix", 400, POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"),
	ROW("te_identity", 400, POST "Transfer-Encoding: identity\r\n\r\n" HIDDEN),
	ROW("te_chunked_not_last", 400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
	ROW("te_gzip_then_chunked", 501,
	    POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_empty", 400, POST "Transfer-Encoding:\r\n\r\n" HIDDEN),
	ROW("te_vertical_tab", 400, POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_nul", 400, POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
	ROW("te_folded", 400, POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	ROW("te_quoted", 400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
	/* Lines that end in ways of their own. */
	ROW("bare_lf_everywhere", 400, "GET / HTTP/1.1\nHost: h\n\n" HIDDEN),
	ROW("bare_lf_after_request_line", 400, "GET / HTTP/1.1\n" HOST "\r\n"),
	ROW("bare_lf_in_fields", 400, GET "A: b\nContent-Length: 5\r\n\r\nhello"),
	ROW("bare_lf_at_the_end", 400, GET "\n" HIDDEN),
	ROW("bare_cr_in_value", 400, GET "A: b\rContent-Length: 5\r\n\r\nhello"),
	ROW("bare_cr_in_name", 400, GET "A\rB: c\r\n\r\n"),
	ROW("bare_cr_in_request_line", 400, "GET /\r HTTP/1.1\r\n" HOST "\r\n"),
	ROW("bare_cr_before_request_line", 400, "\rGET / HTTP/1.1\r\n" HOST "\r\n"),
	ROW("cr_cr_lf", 400, GET "A: b\r\r\n\r\n"),
	ROW("bare_lf_before_request_line", 400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"),
	/* Fields. */
	ROW("folded", 400, GET "A: b\r\n c\r\n\r\n"),
	ROW("folded_by_tab", 400, GET "A: b\r\n\tc\r\n\r\n"),
	ROW("folded_host", 400, "GET / HTTP/1.1\r\nHost: h\r\n i\r\n\r\n"),
	ROW("space_before_colon", 400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
	ROW("space_in_name", 400, GET "A b: c\r\n\r\n"),
	ROW("no_colon", 400, GET "Nonsense\r\n\r\n"),
	ROW("empty_name", 400, GET ": value\r\n\r\n"),
	ROW("nul_in_value", 400, GET "A: b\0c\r\n\r\n"),
	ROW("nul_in_name", 400, GET "A\0: b\r\n\r\n"),
	ROW("control_in_value", 400, GET "A: b\x01\r\n\r\n"),
	ROW("delete_in_value", 400, GET "A: b\x7f\r\n\r\n"),
	ROW("parenthesis_in_name", 400, GET "A(b): c\r\n\r\n"),
	ROW("high_bit_in_name", 400, GET "A\xe4: c\r\n\r\n"),
	/* Hosts. */
	ROW("no_host", 400, "GET / HTTP/1.1\r\n\r\n"),
	ROW("host_twice", 400, GET "Host: other\r\n\r\n"),
	ROW("host_list", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
	ROW("host_with_path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	ROW("host_with_user", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
	ROW("host_twice_in_http_1_0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
	/* Request lines. */
	ROW("two_spaces_before_target", 400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
	ROW("two_spaces_after_target", 400, "GET /  HTTP/1.1\r\n" HOST "\r\n"),
	ROW("tab_before_target", 400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
	ROW("space_before_method", 400, " GET / HTTP/1.1\r\n" HOST "\r\n"),
	ROW("space_after_version", 400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
	ROW("no_version", 400, "GET /\r\n\r\n"),
	ROW("no_target", 400, "GET HTTP/1.1\r\n" HOST "\r\n"),
	ROW("relative_target", 400, "GET metrics HTTP/1.1\r\n" HOST "\r\n"),
	ROW("space_in_target", 400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
	ROW("control_in_target", 400, "GET /a\x01 HTTP/1.1\r\n" HOST "\r\n"),
	ROW("nul_in_target", 400, "GET /a\0 HTTP/1.1\r\n" HOST "\r\n"),
	ROW("high_bit_in_target", 400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"),
	ROW("fragment_in_target", 400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
	ROW("star_for_get", 400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
	ROW("other_scheme", 400, "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"),
	ROW("absolute_with_user", 400, "GET http://u@h/a HTTP/1.1\r\n" HOST "\r\n"),
	ROW("absolute_without_host", 400, "GET http:///a HTTP/1.1\r\n" HOST "\r\n"),
	ROW("lower_case_version", 400, "GET / http/1.1\r\n" HOST "\r\n"),
	ROW("version_with_words", 400, "GET / HTTP/one\r\n" HOST "\r\n"),
	ROW("other_protocol", 400, "GET / RTSP/1.0\r\n" HOST "\r\n"),
	ROW("source_client", 400, "SOURCE / ICE/1.0\r\n" HOST "\r\n"),
	ROW("version_0_9", 505, "GET / HTTP/0.9\r\n" HOST "\r\n"),
	ROW("version_2", 505, "GET / HTTP/2.0\r\n" HOST "\r\n"),
	ROW("version_3", 505, "GET / HTTP/3.0\r\n" HOST "\r\n"),
	ROW("version_1_11", 400, "GET / HTTP/1.11\r\n" HOST "\r\n"),
	ROW("http2_preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	ROW("method_with_comma", 400, "GET, / HTTP/1.1\r\n" HOST "\r\n"),
	ROW("method_alone", 400, "BREW\r\n" HOST "\r\n"),
	ROW("unknown_method_two_spaces", 400, "BREW  / HTTP/1.1\r\n" HOST "\r\n"),
	ROW("unknown_method_cl_and_te", 400,
	    "BREW / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\n\r\n" HIDDEN),
	ROW("connect", 501, "CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n"),
	ROW("unknown_expectation", 417, POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"),
	/* Not HTTP. */
	ROW("tls_client_hello", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	ROW("zeros", 400, "\0\0\0\0\0\0\0\0"),
	ROW("only_an_lf", 400, "\n"),
	ROW("json", 400, "{\"a\": 1}\r\n\r\n"),
	/* Chunks. */
	ROW("chunk_size_not_hex", 0, CHUNKED "xyz\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_empty", 0, CHUNKED "\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_minus", 0, CHUNKED "-5\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_plus", 0, CHUNKED "+5\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_0x", 0, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_overflow", 0, CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_leading_space", 0, CHUNKED " 5\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_trailing_space", 0, CHUNKED "5 \r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_then_lf", 0, CHUNKED "5\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_size_then_cr", 0, CHUNKED "5\rhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_then_lf", 0, CHUNKED "5\r\nhello\n0\r\n\r\n" HIDDEN),
	ROW("chunk_then_nothing", 0, CHUNKED "5\r\nhello0\r\n\r\n" HIDDEN),
	ROW("chunk_longer_than_said", 0, CHUNKED "4\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_extension_with_lf", 0, CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("chunk_extension_with_cr", 0, CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n" HIDDEN),
	ROW("last_chunk_then_lf", 0, CHUNKED "5\r\nhello\r\n0\n\r\n" HIDDEN),
	ROW("trailer_folded", 0, CHUNKED "0\r\nA: b\r\n c\r\n\r\n" HIDDEN),
	ROW("trailer_without_colon", 0, CHUNKED "0\r\nnonsense\r\n\r\n" HIDDEN),
	ROW("trailer_bare_lf", 0, CHUNKED "0\r\nA: b\n\r\n" HIDDEN),
};
const size_t corpus_n = SL_ARRAY_SIZE(corpus);
