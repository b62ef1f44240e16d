/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GraphQL: a query's text as a tree.
 *
 * What clients send: one operation out of a document, its selections with aliases, arguments and
 * fragments, and values in which variables are replaced. Schemas, types and introspection are not
 * known here; what a name means is for who walks the tree.
 */
#ifndef APIS_WEAVIATE_GRAPHQL_H
#define APIS_WEAVIATE_GRAPHQL_H

#include "proto/http/route.h"

/* ---- values ----------------------------------------------------------------------------- */

enum gql_kind {
	GQL_NULL,
	GQL_BOOLEAN,
	GQL_INTEGER,
	GQL_NUMBER,
	GQL_STRING,
	GQL_ENUM, /* a name that is none of the others: Equal, asc */
	GQL_LIST,
	GQL_OBJECT,
	GQL_LAST
};

struct gql_member;

/**
 * struct gql_value - @n: characters of a text, which has a NUL behind it; values of a list; members
 * of an object.
 */
struct gql_value {
	uint8_t kind;
	uint32_t n;
	union {
		bool boolean;
		int64_t integer;
		double number;
		const char *text;
		const struct gql_value *items;
		const struct gql_member *members;
	};
};

/* A member of an object, or an argument. */
struct gql_member {
	struct http_str name;
	struct gql_value value;
};

/* The member @name, the last one of several; NULL: none, or it is null. */
const struct gql_value *gql_get(const struct gql_value *object, const char *name);

static inline bool gql_is_text(const struct gql_value *v)
{
	return v->kind == GQL_STRING || v->kind == GQL_ENUM;
}

static inline bool gql_is_number(const struct gql_value *v)
{
	return v->kind == GQL_INTEGER || v->kind == GQL_NUMBER;
}

static inline double gql_number(const struct gql_value *v)
{
	return v->kind == GQL_INTEGER ? (double)v->integer : v->number;
}

/* The same as the JSON value @json, whose texts stay where they are. Return: 0; -ENOMEM; -EMSGSIZE:
 * deeper than GQL_DEPTH_MAX. */
int gql_of_json(struct http_arena *a, yyjson_val *json, struct gql_value *ret_value);

/* ---- selections ------------------------------------------------------------------------- */

/* Values within one another, and selections. */
#define GQL_DEPTH_MAX 32
/* Selections of a query, each fragment counted as often as it is used. */
#define GQL_SELECTIONS_MAX 4096

/**
 * struct gql_selection - a field, or all fields of a fragment.
 * @name: of the field; of the type that a fragment is on. @alias: what the field is called in the
 *	answer, its name if nothing else. @args: an object. @first: what is selected of it.
 */
struct gql_selection {
	bool fragment;
	struct http_str name, alias;
	struct gql_value args;
	const struct gql_selection *first, *next;
};

/**
 * struct gql_error - why a text is no query: a sentence for the client.
 * @line, @column: where, from 1 on; 0: nowhere.
 */
struct gql_error {
	char text[160];
	uint32_t line, column;
};

/**
 * gql_parse() - the operation @operation (empty: the only one) of the document @text, which has @n
 * bytes and a NUL behind them and is overwritten: the texts of the tree stay in it.
 * @variables: a JSON object, or NULL. @ret_first: what the operation selects.
 * Return: 0; -EPROTO with @ret_error; -ENOMEM.
 */
int gql_parse(struct http_arena *a, char *text, size_t n, struct http_str operation,
	      yyjson_val *variables, const struct gql_selection **ret_first,
	      struct gql_error *ret_error);

#endif
