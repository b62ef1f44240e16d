/* SPDX-License-Identifier: Apache-2.0 */
/* graphql's inside: the tokens of a document (graphql_token.c), of which graphql.c makes a tree. */
#ifndef APIS_WEAVIATE_GRAPHQL_PVT_H
#define APIS_WEAVIATE_GRAPHQL_PVT_H

#include "graphql.h"

/**
 * struct gql_tokens - the text of a document, up to @p of which it is read; *@end is 0.
 * @error: what gql_wrong() fills.
 */
struct gql_tokens {
	char *begin, *p, *end;
	struct gql_error *error;
};

static inline bool gql_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool gql_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Fills @error with a sentence and the place of @at. Return: -EPROTO. */
int __attribute__((format(printf, 3, 4)))
gql_wrong(struct gql_tokens *t, const char *at, const char *fmt, ...);

/* The same, of what comes next, where @wanted should. */
int gql_unexpected(struct gql_tokens *t, const char *wanted);

/* White space, commas and comments mean nothing; what follows here passes over them first, but for
 * texts and numbers. */
void gql_skip(struct gql_tokens *t);

/* Whether @c comes next, which is then taken. */
bool gql_take(struct gql_tokens *t, char c);

/* These return 0 or, with what is wrong, -EPROTO. */
int gql_expect(struct gql_tokens *t, char c);
int gql_take_name(struct gql_tokens *t, struct http_str *ret_name);

/* Whether "..." comes next, which is then taken. */
bool gql_take_dots(struct gql_tokens *t);

/* A text or a block of text, whose quote is next. It stays there, and gets a NUL behind it. */
int gql_take_text(struct gql_tokens *t, struct gql_value *ret);

/* A number, whose sign or first digit is next. */
int gql_take_number(struct gql_tokens *t, struct gql_value *ret);

#endif
