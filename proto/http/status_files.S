/* SPDX-License-Identifier: Apache-2.0 */
/* The files of status/ as they are, between the symbols that status.c names. */

	.section .rodata

	.macro file symbol, path
	.balign 16
	.globl \symbol
	.globl \symbol\()_end
\symbol:
	.incbin "\path"
\symbol\()_end:
	.endm

	file http_status_page_html, "proto/http/status/page.html"
	file http_status_page_css, "proto/http/status/page.css"
	file http_status_page_js, "proto/http/status/page.js"
	file http_status_mark_svg, "proto/http/status/mark.svg"

	.section .note.GNU-stack, "", %progbits
